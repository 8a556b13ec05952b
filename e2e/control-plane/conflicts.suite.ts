/** What admission could not see, because it was down: the older object stays, the younger says why, and both are named. */
import test from 'ava'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from './cluster.ts'
import { l2vni, l3vni, pathOf, underlay, declared } from './objects.ts'
import type { Scene } from './stage.ts'
import { stageSuite } from './stage-suite.ts'

// No ValidatingWebhookConfiguration is there: whatever the schema lets in is in.
const stage = stageSuite()

/** Creation times have whole seconds. */
const younger = (): Promise<void> => sleep(1100)

async function fabric(it: Scene) {
  await it.nodes('node1')
  await it.replica()
  await it.apply(underlay())
  return it.agent('node1')
}

test.serial('two objects with one VNI: the older works, the younger is not Accepted and names both', async (t) => {
  const it = await stage().scene(t)
  const agent = await fabric(it)
  await it.apply(l3vni('red', 100, 'red'))
  await younger()
  await it.apply(l2vni('web', 100))
  const refused = await it.condition('L2VNI', 'web', 'Accepted', ({ status }) => status === 'False')
  t.is(refused.reason, 'VNIConflict')
  t.regex(refused.message, /L2VNI\/web: spec\.vni.* 100: .*L3VNI\/red/)
  t.like(await it.condition('L2VNI', 'web', 'Ready', ({ status }) => status === 'False'), { reason: 'NotAccepted' })
  await it.ready('L3VNI', 'red')
  await it.condition('L3VNI', 'red', 'Accepted', ({ status }) => status === 'True')
  await eventually('the VRF is planned', () => [...agent.pieces.values()].some((json) => json.includes('"red"')))
  t.false(agent.pieces.has('segment/100'))

  await it.delete(pathOf('L3VNI', 'red'))
  await it.condition('L2VNI', 'web', 'Accepted', ({ status }) => status === 'True')
  await it.ready('L2VNI', 'web')
  t.true(agent.pieces.has('segment/100'))
})

test.serial('the one that stands stays when the controller starts anew and when it is written again', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.apply(underlay(), l2vni('older', 110))
  await younger()
  await it.apply(l2vni('aaa', 110))
  await it.replica('one')
  await it.agent('node1')
  const accepted = async (name: string): Promise<string> =>
    (await it.condition('L2VNI', name, 'Accepted', () => true)).status
  t.deepEqual([await accepted('older'), await accepted('aaa')], ['True', 'False'])
  // A change of the older one that has nothing to do with it does not make it the younger.
  await it.apply(l2vni('older', 110, { mtu: 8000 }))
  const still = await it.condition('L2VNI', 'older', 'Accepted', ({ observedGeneration }) => observedGeneration === 2)
  t.is(still.status, 'True')
  await it.ready('L2VNI', 'older')
  await it.apply(l2vni('older', 111))
  await it.condition('L2VNI', 'aaa', 'Accepted', ({ status }) => status === 'True')
  await it.ready('L2VNI', 'aaa')
})

test.serial(
  'two L3VNIs of one VRF, two Underlays on one node, two passthroughs: each conflict by its name',
  async (t) => {
    const it = await stage().scene(t)
    await fabric(it)
    const session = (cidr: string) => ({ hostSession: { asn: 64514, hostASN: 64515, localCIDR: { ipv4: cidr } } })
    await it.apply(l3vni('red', 100, 'red'), declared('L3Passthrough', 'out', session('192.169.20.0/24')))
    await younger()
    const second = underlay({ asn: 64999 })
    await it.apply(l3vni('red2', 200, 'red'), declared('L3Passthrough', 'out2', session('192.169.30.0/24')), {
      ...second,
      metadata: { name: 'fabric2' },
    })
    const cases = [
      ['L3VNI', 'red2', 'VRFConflict', 'L3VNI/red'],
      ['L3Passthrough', 'out2', 'PassthroughConflict', 'L3Passthrough/out'],
      ['Underlay', 'fabric2', 'UnderlayConflict', 'Underlay/fabric'],
    ] as const
    for (const [kind, name, reason, other] of cases) {
      const refused = await it.condition(kind, name, 'Accepted', ({ status }) => status === 'False')
      t.is(refused.reason, reason)
      t.true(refused.message.includes(`${kind}/${name}`) && refused.message.includes(other), refused.message)
    }
    for (const [kind, name] of [
      ['L3VNI', 'red'],
      ['L3Passthrough', 'out'],
      ['Underlay', 'fabric'],
    ] as const)
      await it.ready(kind, name)
  },
)

test.serial('a conflict on some nodes only is said with the nodes, and the rest works', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1', 'node2')
  await it.replica()
  const bridge = { hostMaster: { type: 'LinuxBridge', name: 'br0', autoCreate: true } }
  const onNode1 = { nodeSelector: { matchLabels: { 'kubernetes.io/hostname': 'node1' } } }
  await it.apply(underlay(), l2vni('web', 110, { ...bridge, ...onNode1 }))
  await younger()
  await it.apply(l2vni('db', 120, bridge))
  const first = await it.agent('node1')
  const second = await it.agent('node2')
  const refused = await it.condition('L2VNI', 'db', 'Accepted', ({ status }) => status === 'False')
  t.is(refused.reason, 'BridgeConflict')
  t.regex(refused.message, /L2VNI\/db.*L2VNI\/web.*node1/)
  t.notRegex(refused.message, /node2/)
  await it.ready('L2VNI', 'web')
  await eventually('it works on node2', () => second.pieces.has('segment/120'))
  t.false(first.pieces.has('segment/120'))
  await eventually('one of two', async () => (await it.get(pathOf('L2VNI', 'db')))['status'].nodes.summary === '1/2')
  await it.delete(pathOf('L2VNI', 'web'))
  await it.ready('L2VNI', 'db')
  t.true(first.pieces.has('segment/120'))
})
