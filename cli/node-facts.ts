/** Which node a plan is for: from flags, a node file, or its RouterNode. */
import { readFileSync } from 'node:fs'
import { parseNodeFile, type NodeFile } from '../api/manifest/node-file.ts'
import { recordedAddresses, type NodeFacts } from '../api/plan/node-facts.ts'
import type { Snapshot } from '../api/snapshot/snapshot.ts'
import { CliError } from './cli-error.ts'

export interface NodeFlags {
  readonly node?: string | undefined
  readonly index?: string | undefined
  readonly 'node-file'?: string | undefined
}

/** Flags win over the node file, and that over the RouterNode. @throws CliError */
export function nodeFacts(flags: NodeFlags, snapshot: Snapshot): NodeFacts {
  const file = flags['node-file'] === undefined ? undefined : readNodeFile(flags['node-file'])
  const name = flags.node ?? file?.name
  if (name === undefined) throw new CliError('USAGE', 'which node? Give --node NAME, or a --node-file with a name')
  const known = snapshot.resources.find((each) => each.kind === 'RouterNode' && each.metadata.name === name)
  const allocated = known?.kind === 'RouterNode' ? known.spec.index : undefined
  const index = flags.index === undefined ? (file?.index ?? allocated) : indexOf(flags.index)
  if (index === undefined) throw new CliError('USAGE', missingIndex(name, file?.indexFrom !== undefined))
  return {
    ...recordedAddresses(snapshot, name, index),
    name,
    index,
    labels: { ...known?.metadata.labels, ...file?.labels },
  }
}

function missingIndex(name: string, fromInterface: boolean): string {
  if (fromInterface)
    return 'the node file takes the index from an interface, which only the node itself has: give --index N'
  return `node ${name} has no index: give --index N, a --node-file with an index, or a RouterNode of that name`
}

function indexOf(text: string): number {
  if (!/^[0-9]{1,8}$/.test(text)) throw new CliError('USAGE', `--index ${text} is not a whole number from 0`)
  return Number(text)
}

function readNodeFile(path: string): NodeFile {
  try {
    return parseNodeFile(path, readFileSync(path, 'utf8'))
  } catch (error) {
    throw new CliError('FILE', (error as Error).message, { cause: error })
  }
}
