/**
 * Reviews against a world that is always a little behind: the claims of all objects from one world to the next, and what
 * was let in a moment ago and is not in the world yet (two objects of one `kubectl apply` come within milliseconds).
 */
import type { AnyResource } from '../../api/kinds/kinds.ts'
import { declaredOf, matterOf, type AdmissionRequest, type Verdict } from './admission-request.ts'
import type { AdmissionWorld, Declared } from './admission-world.ts'
import { ClaimIndex } from './claim-index.ts'
import { youngest } from './conflicts.ts'
import { review } from './review.ts'

/** What was let in and has not come by then was stopped by somebody else after us. */
const REMEMBERED_MS = 5000

interface Recent {
  /** Undefined: deleted. */
  readonly resource: Declared | undefined
  /** What the world had of it then; once it has something else, the world knows. */
  readonly known: Declared | undefined
  readonly atMs: number
}

export class Reviewer {
  readonly #now: () => number
  readonly #index = new ClaimIndex()
  /** By `kind/name`. */
  readonly #recent = new Map<string, Recent>()
  /** What the index was made of. */
  #resources: readonly AnyResource[] | undefined

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now
  }

  review(request: AdmissionRequest, world: AdmissionWorld): Verdict {
    this.#catchUp(world)
    const verdict = review(request, world, this.#index)
    if (verdict.allowed && request.dryRun !== true) this.#remember(request)
    return verdict
  }

  #catchUp({ snapshot }: AdmissionWorld): void {
    const changed = snapshot.resources !== this.#resources
    if (changed) this.#index.update(snapshot.resources)
    this.#resources = snapshot.resources
    for (const [key, { resource, known, atMs }] of this.#recent) {
      const fresh = this.#now() - atMs < REMEMBERED_MS
      if (fresh && !changed) continue
      if (fresh && this.#index.find(key) === known) this.#index.put(key, resource)
      else {
        this.#recent.delete(key)
        if (!changed) this.#index.put(key, known)
      }
    }
  }

  #remember(request: AdmissionRequest): void {
    const matter = matterOf(request)
    if (matter.type === 'pass') return
    const checked = matter.type === 'write' ? declaredOf(matter.kind, matter.name, matter.raw) : undefined
    if (checked && 'issues' in checked) return
    const key = `${matter.type === 'write' ? matter.kind.name : matter.kind}/${matter.name}`
    const resource = checked && (request.operation === 'CREATE' ? youngest(checked.object) : checked.object)
    const before = this.#recent.get(key)
    const known = before ? before.known : this.#index.find(key)
    this.#recent.set(key, { resource, known, atMs: this.#now() })
    this.#index.put(key, resource)
  }
}
