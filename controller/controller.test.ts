import test from 'ava'
import { create } from '@bufbuild/protobuf'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DetailSchema } from '../api/wire/generated/distribution_pb.ts'
import { createLog } from '../log/log.ts'
import { runController } from './controller.ts'
import { stage } from './directory-stage.ts'
import { until } from './distribution/stage.ts'

const UNDERLAY = `
apiVersion: nodeleaf.io/v1alpha1
kind: Underlay
metadata: { name: fabric }
spec:
  asn: 64514
  interfaces: [{ name: eth1 }]
  vtep: { cidrs: [100.65.0.0/24] }
  neighbors: [{ address: 192.168.10.1, type: External }]
`
const l2vni = (name: string, vni: number): string => `
apiVersion: nodeleaf.io/v1alpha1
kind: L2VNI
metadata: { name: ${name} }
spec: { vni: ${vni} }
`

test('an agent that comes gets a number and its plan, and the resource is Ready once it says so', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY)
  it.write('web.yaml', l2vni('web', 110))
  await it.start()
  await until(() => it.condition('L2VNI', 'web', 'Ready')?.reason === 'NoNodesSelected', 'no node is selected yet')
  const agent = await it.agent('node1')
  await until(() => agent.simulated.pieces.has('segment/110'), 'the plan has come')
  t.true(agent.simulated.pieces.has('router'))
  await until(() => it.condition('L2VNI', 'web', 'Ready')?.reason === 'Applying', 'it is being applied')
  agent.report()
  await until(() => it.condition('L2VNI', 'web', 'Ready')?.status === 'True', 'it is Ready')
  t.is(it.condition('L2VNI', 'web', 'Accepted')?.status, 'True')
  await until(
    () => it.nodeFile('node1')?.status?.revision?.applied === agent.simulated.revision,
    'the node says so too',
  )
  t.deepEqual(it.nodeFile('node1')?.spec, {
    index: 0,
    addresses: { vteps: ['100.65.0.1'], routerID: '100.65.0.1', hostSessions: [] },
  })
  t.regex(readFileSync(join(it.state, 'numbers.json'), 'utf8'), /"node1":\{"index":0/)
})

test('a failure on one node is named with its cause, and one change says nothing about other resources', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY)
  it.write('web.yaml', l2vni('web', 110))
  await it.start()
  const [one, two] = [await it.agent('node1'), await it.agent('node2')]
  await until(() => [one, two].every(({ simulated }) => simulated.pieces.has('segment/110')), 'both have the plan')
  one.report()
  two.report([{ kind: 'L2VNI', name: 'web', state: 'Failed', reason: 'BridgeMissing', message: 'no bridge br0' }])
  await until(() => it.condition('L2VNI', 'web', 'Ready')?.reason === 'BridgeMissing', 'the cause is named')
  t.regex(
    it.condition('L2VNI', 'web', 'Ready')?.message ?? '',
    /1 of 2 nodes ready\. 1 failed: node2: BridgeMissing: no bridge br0/,
  )
  t.is(it.condition('Underlay', 'fabric', 'Ready')?.status, 'True')
  const since = it.condition('Underlay', 'fabric', 'Ready')?.lastTransitionTime
  it.write('db.yaml', l2vni('db', 120))
  await until(() => one.simulated.pieces.has('segment/120'), 'the change has come')
  await until(() => it.condition('L2VNI', 'db', 'Ready')?.reason === 'Applying', 'the new one is being applied')
  t.is(it.condition('Underlay', 'fabric', 'Ready')?.status, 'True')
  t.is(it.condition('Underlay', 'fabric', 'Ready')?.lastTransitionTime, since)
})

test('a younger object in conflict is not accepted, names the other, and heals when that is gone', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY)
  it.write('web.yaml', l2vni('web', 110))
  await it.start()
  const agent = await it.agent('node1')
  await until(() => agent.simulated.pieces.has('segment/110'), 'the plan has come')
  it.write('a.yaml', l2vni('a', 110))
  await until(() => it.condition('L2VNI', 'a', 'Accepted')?.status === 'False', 'the younger one is refused')
  const accepted = it.condition('L2VNI', 'a', 'Accepted')
  t.is(accepted?.reason, 'VNIConflict')
  t.regex(accepted?.message ?? '', /L2VNI\/a.*L2VNI\/web/)
  t.is(it.condition('L2VNI', 'a', 'Ready')?.reason, 'NotAccepted')
  t.is(it.condition('L2VNI', 'web', 'Accepted')?.status, 'True')
  rmSync(join(it.config, 'web.yaml'))
  await until(() => it.condition('L2VNI', 'a', 'Accepted')?.status === 'True', 'it is taken up')
})

test('a restart keeps numbers and conditions, and an agent that has its plan gets nothing', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY)
  it.write('web.yaml', l2vni('web', 110))
  await it.start()
  const before = await it.agent('node1')
  await until(() => before.simulated.pieces.has('segment/110'), 'the plan has come')
  before.report()
  await until(() => it.condition('L2VNI', 'web', 'Ready')?.status === 'True', 'it is Ready')
  const ready = it.conditions('L2VNI', 'web')
  await it.stop()
  const end = await before.simulated.ended
  t.is(end.code, 14)
  await it.start()
  await until(() => it.log.filter((line) => line.includes('controller started')).length === 2, 'it runs again')
  t.deepEqual(it.conditions('L2VNI', 'web'), ready)
  const after = await it.agent('node1', before.simulated.revision)
  await until(() => it.log.filter((line) => line.includes('an agent has come')).length === 2, 'the agent is back')
  // What a leader asks for it can write, so it has planned.
  after.report([], { detailVersion: 1n })
  await until(() => after.detailRequests === 1, 'the leader has planned')
  it.write('db.yaml', l2vni('db', 120))
  await until(() => it.condition('L2VNI', 'db', 'Ready')?.reason === 'Applying', 'the new one is on its way')
  await until(() => after.simulated.updates.length > 0, 'the change has come')
  t.is(after.simulated.updates[0]?.base, before.simulated.revision)
  t.deepEqual(it.conditions('L2VNI', 'web'), ready)
})

test('details are asked for, and come into the file of the node', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY)
  await it.start()
  const agent = await it.agent('node1')
  await until(() => agent.simulated.pieces.has('router'), 'the plan has come')
  agent.report([], { detailVersion: 1n })
  await until(() => agent.detailRequests === 1, 'details are asked for')
  agent.simulated.send({
    case: 'detail',
    value: create(DetailSchema, { version: 1n, vnis: [{ vni: 110, type: 'L2', state: 'Up', vteps: 2 }] }),
  })
  await until(() => it.nodeFile('node1')?.status?.vnis?.[0]?.vni === 110, 'the node says what it has')
  t.deepEqual(it.nodeFile('node1')?.status?.vnis, [{ vni: 110, type: 'L2', state: 'Up', vteps: 2 }])
  await until(() => it.nodeFile('node1')?.status?.conditions?.length === 2, 'its conditions are there too')
  t.is(it.nodeFile('node1')?.status?.vnis?.length, 1)
})

test('what is away for longer than the grace is Unknown, and says since when', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY)
  await it.start(['--agent-grace', '300ms'])
  const agent = await it.agent('node1')
  await until(() => agent.simulated.pieces.has('router'), 'the plan has come')
  agent.report()
  await until(() => it.condition('Underlay', 'fabric', 'Ready')?.status === 'True', 'it is Ready')
  agent[Symbol.dispose]()
  await until(() => it.condition('Underlay', 'fabric', 'Ready')?.status === 'Unknown', 'nothing is known any more')
  t.regex(it.condition('Underlay', 'fabric', 'Ready')?.message ?? '', /node1: the agent is away since 20/)
  await until(() => it.nodeFile('node1')?.status?.conditions?.[0]?.status === 'False', 'the node is not connected')
})

test('a bad file leaves everything else, and its own last good version survives a restart', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY)
  it.write('web.yaml', l2vni('web', 110))
  await it.start()
  const agent = await it.agent('node1')
  await until(() => agent.simulated.pieces.has('segment/110'), 'the plan has come')
  it.write('web.yaml', l2vni('web', 0))
  await until(() => existsSync(join(it.state, 'problems.yaml')), 'the problem is told')
  await it.stop()
  await it.start()
  const again = await it.agent('node1', agent.simulated.revision)
  again.report([], { detailVersion: 1n })
  await until(() => again.detailRequests === 1, 'the leader has planned')
  it.write('db.yaml', l2vni('db', 120))
  await until(() => again.simulated.updates.length > 0, 'the change has come')
  t.is(again.simulated.updates[0]?.base, agent.simulated.revision)
  t.is(again.simulated.updates[0]?.removed, 0)
})

test('a second controller for the same state directory does not start', async (t) => {
  const it = stage(t)
  await it.start()
  const log = createLog({ level: 'error', format: 'kv', write: () => {}, now: () => new Date() })
  const options = it.options()
  await t.throwsAsync(runController(options, log, new AbortController().signal), {
    message: /another controller is running here/,
  })
})

test('a node whose file a person removes is forgotten once its agent is gone', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY)
  await it.start(['--index-rest', '0'])
  const one = await it.agent('node1')
  await until(() => one.simulated.pieces.has('router'), 'the plan has come')
  one[Symbol.dispose]()
  const connected = () => it.nodeFile('node1')?.status?.conditions?.find(({ type }) => type === 'Connected')?.status
  await until(() => connected() === 'False', 'the agent is gone, and its file says so')
  rmSync(join(it.state, 'nodes', 'node1.yaml'))
  await until(() => it.log.some((line) => line.includes('node forgotten')), 'the node is forgotten')
  const two = await it.agent('node2')
  await until(() => two.simulated.pieces.has('router'), 'another has come')
  t.is(it.nodeFile('node1'), undefined)
})

test('a pool that is too small serves as many nodes as it can, and the others are named; extending it serves them', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY.replace('100.65.0.0/24', '100.65.0.0/31'))
  it.write('web.yaml', l2vni('web', 110))
  await it.start()
  const one = await it.agent('node1')
  await until(() => one.simulated.pieces.has('segment/110'), 'the first node has its plan')
  one.report()
  const two = await it.agent('node2')
  await until(() => it.condition('Underlay', 'fabric', 'Ready')?.reason === 'PoolExhausted', 'the pool is exhausted')
  t.regex(
    it.condition('Underlay', 'fabric', 'Ready')?.message ?? '',
    /1 of 2 nodes ready\. 1 failed: node2: PoolExhausted/,
  )
  t.is(it.condition('Underlay', 'fabric', 'Accepted')?.status, 'True')
  await until(() => it.log.some((line) => line.includes('msg=PoolExhausted node=node2')), 'it is told of the node')
  it.write('fabric.yaml', UNDERLAY)
  await until(() => two.simulated.pieces.has('segment/110'), 'the second node has its plan')
  t.is(one.simulated.pieces.has('segment/110'), true)
  await until(() => it.nodeFile('node2')?.spec !== undefined, 'its numbers are told')
  t.like(it.nodeFile('node1')?.spec, { addresses: { vteps: ['100.65.0.1'] } })
  t.like(it.nodeFile('node2')?.spec, { index: 1 })
})

test('an Underlay that goes leaves every VNI waiting for one, named in its condition', async (t) => {
  const it = stage(t)
  it.write('fabric.yaml', UNDERLAY)
  it.write('web.yaml', l2vni('web', 110))
  await it.start()
  const agent = await it.agent('node1')
  await until(() => agent.simulated.pieces.has('segment/110'), 'the plan has come')
  agent.report()
  await until(() => it.condition('L2VNI', 'web', 'Ready')?.status === 'True', 'it is Ready')
  rmSync(join(it.config, 'fabric.yaml'))
  await until(() => agent.simulated.pieces.size === 0, 'the plan is empty')
  await until(() => it.condition('L2VNI', 'web', 'Ready')?.reason === 'NoUnderlay', 'it waits')
  t.is(it.condition('L2VNI', 'web', 'Accepted')?.status, 'True')
  t.regex(
    it.condition('L2VNI', 'web', 'Ready')?.message ?? '',
    /^0 of 1 node ready\. 1 waiting: node1: NoUnderlay: no Underlay/,
  )
})
