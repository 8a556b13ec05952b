import test from 'ava'
import * as fc from 'fast-check'
import type { AnyResource } from '../kinds/kinds.ts'
import { fabricRules } from '../rules/judge.ts'
import { Contest } from './contest.ts'

const l2 = (name: string, vni: number, gateway: string | undefined): AnyResource => ({
  kind: 'L2VNI',
  metadata: { name },
  spec: { vni, vrf: 'red', gatewayIPs: gateway === undefined ? [] : [gateway], suppressARP: true },
})

const one = l2('one', 1, '10.0.0.1/24')
const inside = l2('inside', 2, '10.0.0.129/25')
const apart = l2('apart', 3, '10.0.1.1/24')

test('objects that want the same are in a contest until one is gone', (t) => {
  const contest = new Contest(fabricRules)
  for (const each of [one, inside, apart]) contest.add(each)
  t.deepEqual([contest.has(one), contest.has(inside), contest.has(apart)], [true, true, false])
  contest.remove(one)
  t.deepEqual([contest.has(inside), contest.has(apart)], [false, false])
})

const objects = fc.uniqueArray(
  fc
    .record({
      vni: fc.integer({ min: 1, max: 6 }),
      gateway: fc.constantFrom(undefined, '10.0.0.1/24', '10.0.0.129/25', '10.0.1.1/24', '10.0.0.1/16'),
    })
    .map(({ vni, gateway }) => l2(`${vni} ${gateway}`, vni, gateway)),
  { selector: ({ metadata }) => metadata.name },
)

test('what came and went leaves no trace', (t) => {
  const history = objects.chain((all) => fc.tuple(fc.constant(all), fc.subarray(all)))
  fc.assert(
    fc.property(history, ([all, gone]) => {
      const contest = new Contest(fabricRules)
      for (const each of all) contest.add(each)
      for (const each of gone) contest.remove(each)
      const left = all.filter((each) => !gone.includes(each))
      const fresh = new Contest(fabricRules)
      for (const each of left.toReversed()) fresh.add(each)
      for (const each of left) t.is(contest.has(each), fresh.has(each))
    }),
  )
})
