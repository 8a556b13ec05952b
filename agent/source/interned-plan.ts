/**
 * Plans made from scratch (from files, or from files and the controller's), as far as they say the same with the objects
 * of the one before: so whatever is worked out from a part of a plan may be kept beside it.
 */
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { canonicalJSON, segmentKey, vrfKey } from '../../api/plan/pieces.ts'
import { hashOf, plus, revisionText, sumOfNode } from '../../api/plan/revision.ts'
import { sameOr } from './held-plan.ts'

interface Known {
  readonly value: object
  readonly hash: bigint
}

export class InternedPlans {
  #parts: ReadonlyMap<string, Known> = new Map()
  #last: NodePlan | undefined
  /** Of parts that were seen before: most are the same objects again. */
  readonly #hashes = new WeakMap<object, bigint>()

  /** The same plan, made of known objects where they say the same, and its revision. */
  intern(plan: NodePlan): { readonly plan: NodePlan; readonly revision: string } {
    const parts = new Map<string, Known>()
    let sum = sumOfNode(plan.node)
    const one = <T extends object>(key: string, value: T): T => {
      const hash = this.#hashOf(key, value)
      const known = this.#parts.get(key)
      const part = known?.hash === hash ? known : { value, hash }
      parts.set(key, part)
      sum = plus(sum, hash)
      return part.value as T
    }
    const { router, passthrough } = plan
    const vrfs = plan.vrfs.map((vrf) => one(vrfKey(vrf.name), vrf))
    const segments = plan.segments.map((segment) => one(segmentKey(segment.vni), segment))
    const interned: NodePlan = {
      node: plan.node,
      ...(router ? { router: one('router', router) } : {}),
      vrfs: sameOr(this.#last?.vrfs ?? [], vrfs),
      segments: sameOr(this.#last?.segments ?? [], segments),
      ...(passthrough ? { passthrough: one('passthrough', passthrough) } : {}),
    }
    this.#parts = parts
    this.#last = interned
    return { plan: interned, revision: revisionText(sum) }
  }

  #hashOf(key: string, value: object): bigint {
    const known = this.#hashes.get(value)
    if (known !== undefined) return known
    const hash = hashOf(key, canonicalJSON(value))
    this.#hashes.set(value, hash)
    return hash
  }
}
