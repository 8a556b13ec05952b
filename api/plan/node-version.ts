/** One node's plan as a template and what is the node's own; laid out only as far as somebody asks. */
import type { Violation } from '../rules/violation.ts'
import { hashFor, pieceFor, textFor, type Entry } from './entry.ts'
import type { HostSessionPlan, RouterPlan } from './node-plan.ts'
import { canonicalJSON } from './pieces.ts'
import type { Piece, PlanChange, PlanVersion } from './plan-version.ts'
import { hashOf, minus, plus, revisionText, sumOfNode, type RevisionSum } from './revision.ts'
import { difference, type Template } from './template.ts'

/** The pieces that no other node has. */
export interface OwnPieces {
  readonly router: string | undefined
  readonly passthrough: string | undefined
  readonly sum: RevisionSum
}

export function ownPieces(node: string, router?: RouterPlan, passthrough?: HostSessionPlan): OwnPieces {
  const texts = { router: router && canonicalJSON(router), passthrough: passthrough && canonicalJSON(passthrough) }
  let sum = sumOfNode(node)
  for (const key of ['router', 'passthrough'] as const) {
    const text = texts[key]
    if (text !== undefined) sum = plus(sum, hashOf(key, text))
  }
  return { ...texts, sum }
}

export class NodeVersion implements PlanVersion {
  readonly node: string
  readonly index: number
  readonly template: Template
  readonly own: OwnPieces
  readonly #refusals: () => readonly Violation[]
  #overlay: RevisionSum | undefined
  #refused: readonly Violation[] | undefined

  /** `before` is the version that this one follows: what it has worked out already is taken from there. */
  constructor(
    node: { readonly name: string; readonly index: number },
    template: Template,
    own: OwnPieces,
    refusals: () => readonly Violation[],
    before: NodeVersion | undefined,
  ) {
    this.node = node.name
    this.index = node.index
    this.template = template
    this.own = own
    this.#refusals = refusals
    if (before && before.#overlay !== undefined && before.index === this.index)
      this.#overlay = overlaySince(before.#overlay, before.template, template, this.index)
    if (before && before.#refused !== undefined) this.#keepRefused(before.#refused)
  }

  get revision(): string {
    this.#overlay ??= this.template.sessions.reduce(
      (sum, entry) => plus(sum, hashFor(entry, this.index)),
      this.template.sum,
    )
    return revisionText(plus(this.own.sum, this.#overlay))
  }

  get refused(): readonly Violation[] {
    this.#refused ??= this.#refusals()
    return this.#refused
  }

  /** Whether it says the same as the one before, as far as anybody has looked at that. */
  says(before: NodeVersion): boolean {
    if (before.#refused !== undefined && this.refused !== before.#refused) return false
    if (before.index === this.index && before.own.sum === this.own.sum) {
      if (before.template.entries === this.template.entries) return true
      if (before.#overlay !== undefined) return this.#overlay === before.#overlay
    }
    return this.revision === before.revision
  }

  changesSince(before?: PlanVersion): PlanChange {
    const old = before instanceof NodeVersion && before.node === this.node ? before : undefined
    const set: Piece[] = []
    const remove: string[] = []
    for (const key of ['router', 'passthrough'] as const) {
      const text = this.own[key]
      if (text === old?.own[key]) continue
      if (text === undefined) remove.push(key)
      else set.push({ key, json: Buffer.from(text) })
    }
    if (!old || old.index !== this.index) {
      for (const entry of this.template.entries.values())
        if (!this.#same(entry, old)) set.push(pieceFor(entry, this.index))
      for (const key of old?.template.entries.keys() ?? []) if (!this.template.entries.has(key)) remove.push(key)
      return { set, remove }
    }
    const changes = difference(old.template, this.template)
    for (const entry of changes.set) if (!this.#same(entry, old)) set.push(pieceFor(entry, this.index))
    for (const { key } of changes.gone) if (!this.template.entries.has(key)) remove.push(key)
    return { set, remove }
  }

  #same(entry: Entry, old: NodeVersion | undefined): boolean {
    const before = old?.template.entries.get(entry.key)
    return before !== undefined && old !== undefined && textFor(before, old.index) === textFor(entry, this.index)
  }

  /** The same list as long as it says the same. */
  #keepRefused(before: readonly Violation[]): void {
    const now = this.#refusals()
    const same = now.length === before.length && now.every((each, at) => sameViolation(each, before[at]))
    this.#refused = same ? before : now
  }
}

function sameViolation(a: Violation, b: Violation | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

function overlaySince(sum: RevisionSum, before: Template, after: Template, index: number): RevisionSum {
  if (before.entries === after.entries) return sum
  const { set, gone, delta } = difference(before, after)
  let now = plus(sum, delta)
  for (const entry of gone) if (entry.type === 'session') now = minus(now, hashFor(entry, index))
  for (const entry of set) if (entry.type === 'session') now = plus(now, hashFor(entry, index))
  return now
}
