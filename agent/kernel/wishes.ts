/** Keeps a comparison's side of what is wanted: of a plan that changed, only the pieces that are others are laid out. */
import type { NodePlan, RouterPlan, SegmentPlan, VrfPlan } from '../../api/plan/node-plan.ts'
import type { Comparison } from './comparison.ts'
import { desiredParts, hostBridge, isHostBridge, type Part } from './desired.ts'
import type { DatapathShape, KernelObject, MachineFacts, Place } from './objects.ts'
import { keyOf } from './objects.ts'
import { same } from './same.ts'

type Bridge = Parameters<typeof hostBridge>[0]

export class Wishes {
  readonly #comparison: Comparison
  #plan: NodePlan | undefined
  #router: RouterPlan | undefined
  #nics: MachineFacts['nics'] = {}
  #shape: DatapathShape | undefined
  #basis: readonly KernelObject[] = []
  #parts = new Map<VrfPlan | SegmentPlan, Part>()
  /** Of the host, by key: one for each segment that names it. */
  readonly #bridges = new Map<string, Bridge[]>()
  /** Where VNIs were placed, also those that may be on their way out still. */
  readonly #places = new Map<number, Place>()

  constructor(comparison: Comparison) {
    this.#comparison = comparison
  }

  /** Where the VNIs are that are wanted: what somebody deletes comes back where it was. */
  get wanted(): ReadonlyMap<number, Place> {
    const places = [...this.#parts.values()].flatMap(({ vni, place }) =>
      vni === undefined || place === undefined ? [] : [[vni, place] as const],
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
    const facts = { nics, datapath: shape === 'single' ? { shape, places: this.#places } : { shape } } as const
    const parts = desiredParts(plan, facts, alike ? this.#parts : new Map())
    const now = new Map(parts.flatMap((part) => (part.piece === undefined ? [] : [[part.piece, part] as const])))
    const gone = [...this.#parts].flatMap(([piece, part]) => (now.get(piece) === part ? [] : part.objects))
    const come = [...now].flatMap(([piece, part]) => (this.#parts.get(piece) === part ? [] : [part]))
    const basis = parts.find(({ piece }) => piece === undefined)?.objects ?? []
    this.#replace([...this.#basis, ...gone], [...basis, ...come.flatMap(({ objects }) => objects)])
    for (const { vni, place } of come) if (vni !== undefined && place !== undefined) this.#places.set(vni, place)
    this.#plan = plan
    this.#router = plan.router
    this.#nics = nics
    this.#shape = shape
    this.#basis = basis
    this.#parts = now
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
