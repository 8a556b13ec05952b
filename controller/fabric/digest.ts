/** Whether two values say the same, without keeping the values: thousands of statuses are compared this way. */
import { createHash } from 'node:crypto'
import { canonicalJSON } from '../../api/plan/pieces.ts'

export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJSON(value)).digest('base64').slice(0, 16)
}

/** Of a RouterNode's status: what the controller knows by itself, and what agents tell in detail, are written apart. */
export function stateDigest(status: Readonly<Record<string, unknown>>): string {
  const { conditions, revision, failures, versions } = status
  return digestOf({ conditions, revision, failures, versions })
}

/** By hand rather than by canonical JSON: it is looked at for every event of every RouterNode, and can be long. */
export function detailDigest(status: Readonly<Record<string, unknown>>): string {
  const hash = createHash('sha256')
  for (const [list, fields] of DETAIL) {
    const items = status[list]
    if (!Array.isArray(items)) continue
    const lines = items.map((item: Record<string, unknown>) => fields.map((field) => item[field] ?? '').join(' '))
    hash.update(`${list}\n${lines.join('\n')}\n`)
  }
  return hash.digest('base64').slice(0, 16)
}

const DETAIL = [
  ['sessions', ['peer', 'vrf', 'state', 'since', 'prefixesReceived', 'prefixesSent', 'bfd']],
  ['vnis', ['vni', 'type', 'state', 'vteps', 'macs']],
] as const
