/** What the last good plan is made of in memory, and how two of them differ. Pure. */
import type { NodeFacts } from '../../api/plan/node-facts.ts'
import type { LastGood, StoredNumbers } from './last-good-file.ts'
import { storedPlan, type ControllerPlan } from './plan-updates.ts'
import type { Planned } from './planned.ts'
import type { StoredFiles } from './static-files.ts'

export interface Kept {
  readonly planned: Planned
  readonly files: StoredFiles
  readonly node?: NodeFacts
  readonly controller?: ControllerPlan
  readonly numbers?: StoredNumbers
}

/** As it is written. */
export function lastGoodOf({ planned, files, node, controller, numbers }: Kept): LastGood {
  const { revision, plan, refused } = planned
  return {
    revision,
    plan,
    refused,
    ...files,
    ...(node === undefined ? {} : { node }),
    ...(controller === undefined ? {} : { controller: storedPlan(controller) }),
    ...(numbers === undefined ? {} : { numbers }),
  }
}

/** Whether what is on the disk says all that `next` says. */
export function isKept(next: Kept, before: Kept): boolean {
  const [now, was] = [next.controller, before.controller]
  return (
    next.planned.revision === before.planned.revision &&
    equal(next.planned.refused, before.planned.refused) &&
    now?.revision === was?.revision &&
    now?.refusedDigest === was?.refusedDigest &&
    equal(now?.refused, was?.refused) &&
    sameBeside(next, before)
  )
}

/** The controller's plans in both, when they are all that is in them and nothing else differs. */
export function controllersAlone(before: Kept, next: Kept): [ControllerPlan, ControllerPlan] | undefined {
  const alone = ({ planned, controller }: Kept): ControllerPlan | undefined =>
    controller !== undefined && planned.plan === controller.plan && planned.refused === controller.refused
      ? controller
      : undefined
  const [was, now] = [alone(before), alone(next)]
  return was !== undefined && now !== undefined && sameBeside(next, before) ? [was, now] : undefined
}

function sameBeside(a: Kept, b: Kept): boolean {
  return (
    equal(a.node, b.node) &&
    equal(a.numbers, b.numbers) &&
    sameEntries(a.files.files, b.files.files) &&
    sameEntries(a.files.arrivals, b.files.arrivals)
  )
}

function sameEntries(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  if (a === b) return true
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

const equal = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)
