/** The body of a request, as far as an API server reads it. */
import type { IncomingMessage } from 'node:http'
import { parse } from 'yaml'
import { ApiProblem, problems } from '../problem.ts'

const MOST = 3 * 2 ** 20

export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > MOST) throw new ApiProblem(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MOST}`)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** JSON, or YAML when the content type says so. */
export function readObject(type: string, text: string): unknown {
  const supported = ['application/json', 'application/yaml']
  if (type !== '' && !supported.includes(type)) throw problems.unsupportedMediaType(type, supported)
  if (text.trim() === '') return {}
  try {
    return type === 'application/yaml' ? (parse(text) as unknown) : (JSON.parse(text) as unknown)
  } catch (error) {
    throw problems.badRequest(error instanceof Error ? error.message : String(error))
  }
}
