import test from 'ava'
import { EXTRA_VNI, nodePlan } from './workload.ts'

test('a tenth are L3VNIs with a session, three tenths are routed, and each VNI is there once', (t) => {
  const { vrfs, segments } = nodePlan(100)
  t.is(vrfs.length, 10)
  t.is(segments.length, 90)
  t.is(segments.filter(({ gateways }) => gateways.length === 1).length, 30)
  t.true(vrfs.every(({ hostSession, l3vni }) => hostSession !== undefined && l3vni !== undefined))
  const vnis = [...vrfs.map(({ l3vni }) => l3vni?.vni), ...segments.map(({ vni }) => vni)]
  t.is(new Set(vnis).size, 100)
})

test('nothing of 5,000 VNIs is refused: no subnet or number occurs twice', (t) => {
  const { vrfs, segments } = nodePlan(5000)
  t.is(vrfs.length + segments.length, 5000)
})

test('the extra segment comes with one gateway, changes to another and is all that differs', (t) => {
  const [without, one, other] = [nodePlan(50), nodePlan(50, { extra: 0 }), nodePlan(50, { extra: 1 })]
  const extra = (plan: typeof one) => plan.segments.find(({ vni }) => vni === EXTRA_VNI)
  t.is(extra(without), undefined)
  t.deepEqual([extra(one)?.gateways, extra(other)?.gateways], [['10.200.0.1/24'], ['10.200.1.1/24']])
  t.is(extra(one)?.vrf, 't0')
  t.deepEqual({ ...one, segments: one.segments.filter(({ vni }) => vni !== EXTRA_VNI) }, without)
})
