/** Keeps a comparison's side of what is wanted: of a plan that changed, only the pieces that are others are laid out. */
import type { NodePlan, RouterPlan } from '../../api/plan/node-plan.ts'
import type { Comparison } from './comparison.ts'
import { basisOf, hostBridge, isHostBridge, partsOf, type Part, type Piece } from './desired.ts'
import type { DatapathShape, KernelObject, MachineFacts, Place } from './objects.ts'
import { keyOf } from './objects.ts'
import { same } from './same.ts'
import { shardsOf, type Shards } from './shape/layout.ts'

type Bridge = Parameters<typeof hostBridge>[0]

export class Wishes {
  readonly #comparison: Comparison
  #plan: NodePlan | undefined
  #router: RouterPlan | undefined
  #nics: MachineFacts['nics'] = {}
  #shape: DatapathShape | undefined
  #basis: readonly KernelObject[] = []
  #shards: Shards = new Map()
  readonly #parts = new Map<Piece, Part>()
  /** Of the host, by key: one for each segment that names it. */
  readonly #bridges = new Map<string, Bridge[]>()
  /** Where VNIs were placed, also those that may be on their way out still. */
  readonly #places = new Map<number, Place>()

  constructor(comparison: Comparison) {
    this.#comparison = comparison
  }

  /** Where the VNIs are that are wanted: what somebody deletes comes back where it was. */
  get wanted(): ReadonlyMap<number, Place> {
    const places = [...this.#parts.values()].flatMap(({ needs, place }) =>
      needs === undefined || place === undefined ? [] : [[needs.vni, place] as const],
    )
    return new Map(places)
  }

  /** Where VNIs were placed last. */
  get places(): ReadonlyMap<number, Place> {
    return this.#places
  }

  /** `seen`: where VNIs are, when all was looked at. */
  take(plan: NodePlan, nics: MachineFacts['nics'], shape: DatapathShape, seen?: ReadonlyMap<number, Place>): void {
    const alike = plan.router === this.#router && shape === this.#shape && same(nics, this.#nics)
    if (alike && plan === this.#plan && seen === undefined) return
    if (seen !== undefined) {
      this.#places.clear()
      for (const [vni, place] of seen) this.#places.set(vni, place)
    }
    const { router, passthrough } = plan
    const facts = { nics, datapath: shape === 'single' ? { shape, places: this.#places } : { shape } } as const
    const pieces = router === undefined ? [] : [...plan.vrfs, ...plan.segments]
    const now = new Set(pieces)
    const gone = [...this.#parts.keys()].filter((piece) => !now.has(piece))
    const come = alike && seen === undefined ? pieces.filter((piece) => !this.#parts.has(piece)) : pieces
    const made = router === undefined ? [] : partsOf(come, router, facts, alike ? this.#parts : new Map())
    const others = made.filter((part) => this.#parts.get(part.piece) !== part)
    const left = [...gone, ...others.map(({ piece }) => piece)].flatMap(
      (piece) => this.#parts.get(piece)?.objects ?? [],
    )
    for (const piece of gone) this.#parts.delete(piece)
    for (const part of others) this.#parts.set(part.piece, part)
    for (const { needs, place } of others) if (needs && place) this.#places.set(needs.vni, place)

    const shards = shardsOf(this.#parts.values())
    const sameBasis = alike && passthrough === this.#plan?.passthrough && same([...shards], [...this.#shards])
    const before = this.#basis
    if (!sameBasis) this.#basis = router === undefined ? [] : basisOf(router, passthrough, facts, shards)
    const comes = others.flatMap(({ objects }) => objects)
    this.#replace(sameBasis ? left : [...before, ...left], sameBasis ? comes : [...this.#basis, ...comes])
    this.#plan = plan
    this.#router = router
    this.#nics = nics
    this.#shape = shape
    this.#shards = shards
  }

  #replace(gone: readonly KernelObject[], come: readonly KernelObject[]): void {
    const keys = new Set(come.map(keyOf))
    const bridges = new Set<string>()
    for (const object of gone) {
      const key = keyOf(object)
      if (isHostBridge(object)) {
        this.#bridges.set(
          key,
          (this.#bridges.get(key) ?? []).filter((each) => each !== object),
        )
        bridges.add(key)
      } else if (!keys.has(key)) this.#comparison.setWant(key, undefined)
    }
    for (const object of come) {
      const key = keyOf(object)
      if (isHostBridge(object)) {
        this.#bridges.set(key, [...(this.#bridges.get(key) ?? []), object])
        bridges.add(key)
      } else this.#comparison.setWant(key, object)
    }
    for (const key of bridges) {
      const [one, ...others] = this.#bridges.get(key) ?? []
      if (one === undefined) this.#bridges.delete(key)
      this.#comparison.setWant(key, one === undefined ? undefined : hostBridge(one, others))
    }
  }
}
