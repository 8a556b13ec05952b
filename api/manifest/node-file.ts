/** The node file: what a node is told of itself before any cluster exists. YAML without a kind. */
import { parse } from 'yaml'
import { z } from 'zod'
import { labels } from './metadata.ts'

const schema = z
  .strictObject({
    name: z.string().min(1).optional(),
    index: z.int().min(0).optional(),
    indexFrom: z.strictObject({ interface: z.string().min(1).max(15) }).optional(),
    labels: labels.default({}),
  })
  .refine((file) => file.index === undefined || file.indexFrom === undefined, 'has both index and indexFrom: keep one')

/** `index` is the node's number; `indexFrom.interface` takes it from the host part of that interface's address. */
export type NodeFile = z.infer<typeof schema>

export class NodeFileError extends Error {
  readonly code = 'NODE_FILE'
}

/** Reads the text of a node file; `path` is for messages. @throws NodeFileError */
export function parseNodeFile(path: string, text: string): NodeFile {
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    throw new NodeFileError(`${path} is not YAML: ${(error as Error).message.split('\n')[0]}`, { cause: error })
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const reasons = result.error.issues.map((issue) => [issue.path.join('.'), issue.message].filter(Boolean).join(': '))
  throw new NodeFileError(`${path}: ${reasons.join('; ')}; it takes name, labels, and index or indexFrom.interface`)
}
