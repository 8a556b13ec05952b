import test, { type ExecutionContext } from 'ava'
import { create } from '@bufbuild/protobuf'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { DetailSchema, ReportSchema, ResourceStateSchema } from '../api/wire/generated/distribution_pb.ts'
import { SimulatedAgent } from '../e2e/peers/simulated-agent.ts'
import { createLog } from '../log/log.ts'
import { runController } from './controller.ts'
import { until } from './distribution/stage.ts'
import type { Condition } from './fabric/world.ts'
import { parseCommand, type ControllerOptions } from './options.ts'
import { issueAgentCertificate } from './tls/agent-certificate.ts'

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

/** A state file, as far as it is looked at. */
interface NodeFile {
  readonly spec?: unknown
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly revision?: { readonly applied?: string }
    readonly vnis?: readonly { readonly vni: number }[]
  }
}

interface Stage {
  readonly config: string
  readonly state: string
  readonly log: string[]
  readonly port: () => number
  options(flags?: readonly string[]): ControllerOptions
  start(flags?: readonly string[]): Promise<void>
  stop(): Promise<void>
  write(file: string, text: string): void
  agent(node: string, revision?: string): Promise<Agent>
  conditions(kind: string, name: string): readonly Condition[]
  condition(kind: string, name: string, type: string): Condition | undefined
  nodeFile(name: string): NodeFile | undefined
}

class Agent implements Disposable {
  readonly simulated: SimulatedAgent
  detailRequests = 0
  constructor(make: (detail: () => void) => SimulatedAgent) {
    this.simulated = make(() => void this.detailRequests++)
  }
  /** Says how it fares with what it has. */
  report(
    unready: readonly { kind: string; name: string; state: string; reason: string; message: string }[] = [],
    more = {},
  ): void {
    const { revision } = this.simulated
    this.simulated.send({
      case: 'report',
      value: create(ReportSchema, {
        applied: unready.length === 0 ? revision : '',
        lastGood: revision,
        settled: true,
        unready: unready.map((each) => create(ResourceStateSchema, each)),
        ...more,
      }),
    })
  }
  [Symbol.dispose](): void {
    this.simulated[Symbol.dispose]()
  }
}

function stage(t: ExecutionContext): Stage {
  const directory = mkdtempSync(join(tmpdir(), 'nodeleaf-controller-'))
  const [config, state] = [join(directory, 'config'), join(directory, 'state')]
  mkdirSync(config)
  const log: string[] = []
  const agents: Agent[] = []
  let stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let port = 0
  const end = async (): Promise<void> => {
    stop.abort()
    await running
  }
  t.teardown(async () => {
    for (const agent of agents) agent[Symbol.dispose]()
    await end()
    rmSync(directory, { recursive: true, force: true })
  })
  const read = <T>(path: string): T | undefined =>
    existsSync(path) ? (parse(readFileSync(path, 'utf8')) as T) : undefined
  const conditions = (kind: string, name: string): readonly Condition[] =>
    read<NodeFile>(join(state, 'resources', `${kind}-${name}.yaml`))?.status?.conditions ?? []
  const options = (flags: readonly string[] = []): ControllerOptions => {
    const args = ['--config-dir', config, '--state-dir', state, '--listen', '127.0.0.1:0', '--metrics', 'off']
    const command = parseCommand([...args, ...flags], { env: {}, hostName: 'test', inCluster: false })
    if (command.type !== 'run') throw new Error('no run')
    return command.options
  }
  return {
    config,
    state,
    log,
    port: () => port,
    options,
    async start(flags = []) {
      stop = new AbortController()
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      const lines = createLog({ level: 'debug', format: 'kv', write: (line) => log.push(line), now: () => new Date() })
      running = runController(options(flags), lines, stop.signal, ({ agents: at }) => resolve(at))
      running.catch(reject)
      port = await promise
    },
    stop: end,
    write: (file, text) => writeFileSync(join(config, file), text),
    async agent(node, revision = '') {
      const out = join(directory, node)
      const issued = await issueAgentCertificate({ node, stateDirectory: state, outDirectory: out, nowMs: Date.now() })
      const [cert, key, ca] = [issued.cert, issued.key, issued.ca].map((path) => readFileSync(path, 'utf8'))
      const agent = new Agent(
        (asked) =>
          new SimulatedAgent({
            controller: `127.0.0.1:${port}`,
            ca: ca ?? '',
            certificate: { cert: cert ?? '', key: key ?? '' },
            node,
            revision,
            onMessage: ({ message }) => message.case === 'detailRequest' && asked(),
          }),
      )
      agents.push(agent)
      return agent
    },
    conditions,
    condition: (kind, name, type) => conditions(kind, name).find((each) => each.type === type),
    nodeFile: (name) => read(join(state, 'nodes', `${name}.yaml`)),
  }
}

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
