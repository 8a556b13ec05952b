import test, { type ExecutionContext } from 'ava'
import { create } from '@bufbuild/protobuf'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReportSchema, type ControllerMessage } from '../api/wire/generated/distribution_pb.ts'
import { SimulatedAgent } from '../e2e/peers/simulated-agent.ts'
import type { KubeObject } from '../e2e/control-plane/client.ts'
import { addNode, eventually, startCluster, tokenFor, type Cluster } from '../e2e/control-plane/cluster.ts'
import { l2vni, root, underlay } from '../e2e/control-plane/objects.ts'
import { optionsOf, startInProcess, type InProcess } from './in-process.ts'

interface Replica extends InProcess {
  readonly log: readonly string[]
}

interface Stage {
  readonly cluster: Cluster
  replica(name: string, flags?: readonly string[]): Promise<Replica>
  agent(node: string, replica: Replica, revision?: string): Promise<SimulatedAgent>
  /** Nodes whose agent was asked for details. */
  readonly asked: Set<string>
  apply(object: KubeObject): Promise<unknown>
  get(path: string): Promise<KubeObject>
  condition(path: string, type: string, holds: (condition: Condition) => boolean): Promise<Condition>
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime: string
}

async function stage(t: ExecutionContext): Promise<Stage> {
  t.timeout(300_000)
  const cluster = await startCluster({ inMemory: true, rbac: false, garbageCollection: true })
  const directory = mkdtempSync(join(tmpdir(), 'nodeleaf-kube-'))
  const kubeconfig = join(directory, 'kubeconfig')
  writeFileSync(kubeconfig, cluster.kubeconfig())
  await tokenFor(cluster.client, 'nodeleaf-agent')
  const replicas: Replica[] = []
  const agents: SimulatedAgent[] = []
  const asked = new Set<string>()
  t.teardown(async () => {
    for (const agent of agents) agent[Symbol.dispose]()
    await Promise.all(replicas.map((replica) => replica.stop()))
    await cluster[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  })
  const get = (path: string): Promise<KubeObject> => cluster.client.ask('GET', path)
  return {
    cluster,
    asked,
    get,
    apply: (each) => cluster.client.applyOne(each, 'fieldManager=test&force=true'),
    async replica(name, flags = []) {
      const args = ['--kubeconfig', kubeconfig, '--namespace', 'nodeleaf-system', '--name', name]
      const at = ['--listen', '127.0.0.1:0', '--metrics', 'off', '--webhook', 'off']
      const log: string[] = []
      const replica = { ...(await startInProcess(optionsOf([...args, ...at, ...flags]), log)), log }
      replicas.push(replica)
      return replica
    },
    async agent(node, { port }, revision = '') {
      const token = await tokenFor(cluster.client, 'nodeleaf-agent', { node, audiences: ['nodeleaf'] })
      const trusted = await get('/api/v1/namespaces/nodeleaf-system/configmaps/nodeleaf-ca')
      const ca = (trusted['data'] as Record<string, string>)['ca.crt'] ?? ''
      const controller = `127.0.0.1:${port}`
      const identity = { controller, ca, serverName: 'nodeleaf-controller', node, token, revision }
      const onMessage = ({ message }: ControllerMessage): void =>
        void (message.case === 'detailRequest' && asked.add(node))
      const agent = new SimulatedAgent({ ...identity, onMessage })
      agents.push(agent)
      return agent
    },
    condition: (path, type, holds) =>
      eventually(`${path}: ${type}`, async () => {
        const found = await get(path)
        const conditions = (found['status']?.conditions ?? []) as readonly Condition[]
        const condition = conditions.find((each) => each.type === type)
        return condition !== undefined && holds(condition) ? condition : undefined
      }),
  }
}

function report(agent: SimulatedAgent, more: object = {}): void {
  const lastGood = agent.revision
  agent.send({ case: 'report', value: create(ReportSchema, { applied: lastGood, lastGood, settled: true, ...more }) })
}

const has = (agent: SimulatedAgent, key: string): Promise<boolean> =>
  eventually(`the agent has ${key}`, () => agent.pieces.has(key))

test('apply, and the resource says where it works; the node says what it has', async (t) => {
  const it = await stage(t)
  await addNode(it.cluster.client, 'node1')
  await it.apply(underlay())
  await it.apply(l2vni('web', 110))
  const replica = await it.replica('one')
  const agent = await it.agent('node1', replica)
  await has(agent, 'segment/110')
  report(agent)
  const ready = await it.condition(`${root}/l2vnis/web`, 'Ready', ({ status }) => status === 'True')
  t.is(ready.message, 'works on 1 node')
  const web = await it.get(`${root}/l2vnis/web`)
  t.like(web['status'].nodes, { selected: 1, ready: 1, failed: 0, summary: '1/1' })
  await it.condition(`${root}/routernodes/node1`, 'Ready', ({ status }) => status === 'True')
  const node = await it.get(`${root}/routernodes/node1`)
  t.deepEqual(node['spec'].addresses.vteps, ['100.65.0.1'])
  t.is(node['status'].revision.desired, agent.revision)
  const events = await it.get('/apis/events.k8s.io/v1/events')
  const said = (events['items'] as { reason: string; regarding: { kind: string } }[]).map(
    ({ regarding, reason }) => `${regarding.kind} ${reason}`,
  )
  for (const each of ['L2VNI Accepted', 'L2VNI Ready', 'Node NumbersAllocated', 'Node RouterReady'])
    t.is(said.filter((one) => one === each).length, 1, each)
})

test('a Secret that comes is planned, and one that changes is planned anew', async (t) => {
  const it = await stage(t)
  await addNode(it.cluster.client, 'node1')
  await it.apply(underlay({}, { passwordSecret: { name: 'tor' } }))
  const agent = await it.agent('node1', await it.replica('one'))
  await has(agent, 'router')
  const waiting = await it.condition(`${root}/underlays/fabric`, 'Ready', ({ reason }) => reason === 'SecretMissing')
  t.regex(waiting.message, /node1: SecretMissing: Secret\/tor does not exist/)
  const secret = (password: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'tor', namespace: 'nodeleaf-system' },
    data: { password: Buffer.from(password).toString('base64') },
  })
  const before = agent.pieces.get('router') ?? 0
  await it.apply(secret('first'))
  await eventually('the neighbour comes', () => (agent.pieces.get('router') ?? 0) > before)
  const with5 = agent.pieces.get('router') ?? 0
  await it.apply(secret('longer-password'))
  await eventually('the other password comes', () => agent.pieces.get('router') === with5 + 10)
})

test('when the leader stops another takes over, and nothing changes on the nodes', async (t) => {
  const it = await stage(t)
  for (const node of ['node1', 'node2']) await addNode(it.cluster.client, node)
  await it.apply(underlay())
  await it.apply(l2vni('web', 110))
  const one = await it.replica('one')
  await eventually('one leads', () => one.log.some((line) => line.includes('msg=leading')))
  const two = await it.replica('two')
  const before = await Promise.all(['node1', 'node2'].map((node) => it.agent(node, one)))
  for (const agent of before) await has(agent, 'segment/110')
  for (const agent of before) report(agent)
  const ready = await it.condition(`${root}/l2vnis/web`, 'Ready', ({ status }) => status === 'True')
  await eventually('both nodes are told settled', async () =>
    ((await it.get(`${root}/routernodes`))['items'] as KubeObject[]).every(
      (node) => node['status']?.revision?.applied !== undefined,
    ),
  )
  const written = await it.get(`${root}/routernodes/node1`)
  const refused = await it.agent('node1', two)
  const end = await refused.ended
  t.is(end.code, 14)
  t.is(end.leader, `one:${one.port}`)
  await one.stop()
  await eventually('two leads', () => two.log.some((line) => line.includes('msg=leading')))
  const after = await Promise.all(
    before.map((agent, at) => it.agent(at === 0 ? 'node1' : 'node2', two, agent.revision)),
  )
  // What a leader asks for it can write, so it has planned.
  for (const agent of after) report(agent, { detailVersion: 1n })
  await eventually('both are asked', () => it.asked.size === 2)
  await it.apply(l2vni('db', 120))
  for (const agent of after) await has(agent, 'segment/120')
  for (const [at, agent] of after.entries()) t.is(agent.updates[0]?.base, before[at]?.revision)
  const still = await it.condition(`${root}/l2vnis/web`, 'Ready', () => true)
  t.deepEqual(still, ready)
  t.deepEqual((await it.get(`${root}/routernodes/node1`))['spec'], written['spec'])
})

test('a node that is gone takes its RouterNode with it, and its number rests', async (t) => {
  const it = await stage(t)
  for (const node of ['node1', 'node2']) await addNode(it.cluster.client, node)
  await it.apply(underlay())
  await it.replica('one')
  const indexOf = (node: string): Promise<number> =>
    eventually(`${node} has a number`, async () => {
      const { status, body } = await it.cluster.client.call('GET', `${root}/routernodes/${node}`)
      return status === 200 ? { index: body.spec.index as number } : undefined
    }).then(({ index }) => index)
  const [first, second] = [await indexOf('node1'), await indexOf('node2')]
  await it.cluster.client.call('DELETE', '/api/v1/nodes/node2')
  await eventually(
    'its RouterNode is gone',
    async () => (await it.cluster.client.call('GET', `${root}/routernodes/node2`)).status === 404,
  )
  await addNode(it.cluster.client, 'node3')
  t.deepEqual([first, second, await indexOf('node3')].toSorted(), [0, 1, 2])
  await addNode(it.cluster.client, 'node2')
  t.is(await indexOf('node2'), second)
})

test('an API server that is away for a while changes nothing, and what was missed is made up for', async (t) => {
  const it = await stage(t)
  await addNode(it.cluster.client, 'node1')
  await it.apply(underlay())
  // Longer than this process, which all three sides share, may be kept from the processor while all is well.
  const lease = ['--lease-duration=12s', '--renew-deadline=8s', '--retry-period=500ms']
  const replica = await it.replica('one', lease)
  const agent = await it.agent('node1', replica)
  await has(agent, 'router')
  report(agent)
  await it.condition(`${root}/underlays/fabric`, 'Ready', ({ status }) => status === 'True')
  await it.cluster.memory?.front.down()
  await eventually('it leads no more', () => replica.log.some((line) => line.includes('leading no more')))
  const terms = (): number => replica.log.filter((line) => line.includes('msg=leading ')).length
  const before = terms()
  t.is((await agent.ended).code, 14)
  await it.cluster.memory?.front.up()
  await it.apply(l2vni('web', 110))
  await eventually('it leads again', () => terms() > before)
  const again = await it.agent('node1', replica, agent.revision)
  await has(again, 'segment/110')
  // Either what differs, or all of it, when the plan changed before the agent came back.
  t.is(again.pieces.get('router') ?? agent.pieces.get('router'), agent.pieces.get('router'))
})
