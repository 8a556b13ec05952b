/**
 * The last good plan as a file: a header line (format and SHA-256 of the rest) and JSON. Fields were added over time, none
 * was removed: every agent reads what an older or a newer one has written. Pure.
 */
import { createHash } from 'node:crypto'
import type { NodeFacts } from '../../api/plan/node-facts.ts'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import type { Violation } from '../../api/rules/violation.ts'
import type { Arrivals } from '../../files/arrival.ts'

const FORMAT = 'nodeleaf-last-good 1'

/** The controller's plan as it came, so that an update can build on it after a boot. */
export interface StoredControllerPlan {
  readonly revision: string
  /** JSON by key of the piece. */
  readonly pieces: Readonly<Record<string, string>>
  readonly refused: readonly Violation[]
  /** The controller's name for what is refused. */
  readonly refusedDigest: string
}

export interface LastGood {
  readonly revision: string
  /** All of it, whatever the source. */
  readonly plan: NodePlan
  /** What was not taken into the plan, and why. */
  readonly refused: readonly Violation[]
  /** The last good text of every configuration file, by file name: what a file that is bad at boot falls back to. */
  readonly files: Readonly<Record<string, string>>
  /** In which order the files' objects came. */
  readonly arrivals?: Arrivals
  /** For whom the files were planned. */
  readonly node?: NodeFacts
  /** The last plan of the controller; absent: none ever came. */
  readonly controller?: StoredControllerPlan
  /** The addresses that the controller gave this node last. */
  readonly numbers?: StoredNumbers
}

export interface StoredNumbers {
  readonly vteps: readonly string[]
  readonly routerID: string
  /** Where the first VTEP is in its pool: what the files are planned with on a node that has no number of its own. */
  readonly index?: number
}

export class LastGoodError extends Error {
  readonly code: 'DAMAGED' | 'UNREADABLE' | 'UNWRITABLE'
  constructor(code: LastGoodError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The text, and the checksum in its first line. */
export function sealed(value: LastGood): { readonly text: string; readonly digest: string } {
  const body = `${JSON.stringify(value)}\n`
  const digest = checksum(body)
  return { text: `${FORMAT} sha256:${digest}\n${body}`, digest }
}

/** @throws LastGoodError DAMAGED, naming `path` and what is wrong */
export function decode(text: string, path: string): { value: LastGood; digest: string; bytes: number } {
  const body = text.slice(text.indexOf('\n') + 1)
  const [said, digest] = [headerDigest(text), checksum(body)]
  if (said === undefined) {
    throw new LastGoodError('DAMAGED', `${path} is not a last good plan of this format, it is ignored`)
  }
  if (said !== digest) {
    throw new LastGoodError('DAMAGED', `${path} is damaged (its checksum does not match), it is ignored`)
  }
  return { value: JSON.parse(body) as LastGood, digest, bytes: Buffer.byteLength(text) }
}

/** The checksum in the first line. */
function headerDigest(text: string): string | undefined {
  const start = `${FORMAT} sha256:`
  return text.startsWith(start) ? text.slice(start.length, text.indexOf('\n')) : undefined
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('hex')
}
