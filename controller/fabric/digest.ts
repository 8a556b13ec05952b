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

export function detailDigest(status: Readonly<Record<string, unknown>>): string {
  const { sessions, vnis } = status
  return digestOf({ sessions, vnis })
}
