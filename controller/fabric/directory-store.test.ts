import test, { type ExecutionContext } from 'ava'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../../log/log.ts'
import { until } from '../distribution/stage.ts'
import { DirectoryStore } from './directory-store.ts'
import type { Declared, ResourceStatus, World } from './world.ts'

const resource = (kind: string, name: string, spec: string, labels = '{}'): string =>
  `apiVersion: nodeleaf.io/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name}, labels: ${labels} }\nspec: ${spec}\n---\n`
const status: ResourceStatus = {
  conditions: [
    { type: 'Ready', status: 'True', reason: 'Ready', message: 'works', lastTransitionTime: '2026-01-01T00:00:00Z' },
  ],
}

interface Stage {
  readonly config: string
  readonly state: string
  readonly log: string[]
  store: DirectoryStore
  /** Starts anew, as another process would. */
  restart(): Promise<DirectoryStore>
  world(holds: (world: World) => boolean): Promise<World>
}

async function stage(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'nodeleaf-store-'))
  const [config, state] = [join(directory, 'config'), join(directory, 'state')]
  mkdirSync(config)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(config, name), text)
  const log: string[] = []
  const lines = createLog({ level: 'debug', format: 'kv', write: (line) => log.push(line), now: () => new Date() })
  let stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  const start = (): DirectoryStore => {
    const store = new DirectoryStore({ configDir: config, stateDir: state, log: lines })
    stop = new AbortController()
    running = store.run(() => {}, stop.signal)
    return store
  }
  const it: Stage = {
    config,
    state,
    log,
    store: start(),
    async restart() {
      stop.abort()
      await running
      it.store = start()
      return it.store
    },
    async world(holds) {
      for (let at = 0; at < 12_000; at++) {
        const { world } = it.store
        if (world !== undefined && holds(world)) return world
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      throw new Error('no such world')
    },
  }
  t.teardown(async () => {
    stop.abort()
    await running
    rmSync(directory, { recursive: true })
  })
  return it
}

const find = (world: World, name: string): Declared | undefined => world.declared.find(({ ref }) => ref.name === name)

test('a generation grows with the spec, also over a restart; what did not change stays the same object', async (t) => {
  const it = await stage(t, {
    'a.yaml': resource('L2VNI', 'a', '{ vni: 1 }'),
    'b.yaml': resource('L2VNI', 'b', '{ vni: 2 }'),
  })
  const first = await it.world(() => true)
  t.is(find(first, 'a')?.generation, 1)
  writeFileSync(join(it.config, 'a.yaml'), resource('L2VNI', 'a', '{ vni: 3 }'))
  const second = await it.world((world) => find(world, 'a')?.generation === 2)
  t.is(find(second, 'b')?.checked, find(first, 'b')?.checked)
  t.not(second.snapshot, first.snapshot)
  await it.restart()
  t.is(find(await it.world(() => true), 'a')?.generation, 2)
})

test('a status is in a file of its own and there after a restart; it makes no new snapshot', async (t) => {
  const it = await stage(t, { 'a.yaml': resource('L2VNI', 'a', '{ vni: 1 }') })
  const before = await it.world(() => true)
  const declared = find(before, 'a')
  t.truthy(declared)
  if (declared) await it.store.applyStatus(declared, status)
  const after = await it.world((world) => find(world, 'a')?.status !== undefined)
  t.is(after.snapshot, before.snapshot)
  t.is(after.nodes, before.nodes)
  const file = join(it.state, 'resources', 'L2VNI-a.yaml')
  t.regex(readFileSync(file, 'utf8'), /kind: L2VNI[\s\S]*reason: Ready/)
  t.is(statSync(file).mode & 0o777, 0o600)
  await it.restart()
  t.deepEqual(find(await it.world(() => true), 'a')?.status, status)
  rmSync(join(it.config, 'a.yaml'))
  await it.world((world) => find(world, 'a') === undefined)
  t.false(existsSync(file))
})

test('nodes are those whose agents came, and those with a document; its labels and index go first', async (t) => {
  const document = resource('RouterNode', 'vm1', '{ index: 7 }', '{ rack: a }')
  const it = await stage(t, { 'nodes.yaml': document })
  it.store.agentConnected('vm1', { rack: 'z', row: '1' })
  it.store.agentConnected('vm2', { rack: 'b' })
  const world = await it.world(({ nodes }) => nodes.length === 2)
  t.deepEqual(
    world.nodes.map(({ name, labels }) => [name, labels]),
    [
      ['vm1', { rack: 'a', row: '1' }],
      ['vm2', { rack: 'b' }],
    ],
  )
  t.like(world.routerNodes[0], { name: 'vm1', fixed: true, resource: { spec: { index: 7 } } })
  t.is(world.routerNodes.length, 1)
  await it.restart()
  t.is((await it.world(() => true)).nodes.length, 2)
})

test('a node that has no name for a file gets nothing', async (t) => {
  const it = await stage(t, {})
  for (const name of ['../evil', '', '.', 'A', 'a'.repeat(247)]) it.store.agentConnected(name, {})
  it.store.agentConnected('good', {})
  t.deepEqual(
    (await it.world(({ nodes }) => nodes.length > 0)).nodes.map(({ name }) => name),
    ['good'],
  )
})

test('what the agent tells is kept beside what the controller says', async (t) => {
  const it = await stage(t, {})
  it.store.agentConnected('vm1', {})
  const [node] = (await it.world(({ nodes }) => nodes.length === 1)).nodes
  t.truthy(node)
  if (node) await it.store.applyRouterNode(node, { index: 3, addresses: { vteps: ['10.0.0.4'], hostSessions: [] } })
  await it.store.applyRouterNodeDetail('vm1', { sessions: [], vnis: [{ vni: 1, type: 'L2', state: 'Up' }] })
  const empty = { conditions: [], failures: [], versions: {} }
  await it.store.applyRouterNodeState('vm1', { ...empty, revision: { desired: 'r1' } })
  const text = readFileSync(join(it.state, 'nodes', 'vm1.yaml'), 'utf8')
  for (const part of [/index: 3/, /vni: 1/, /desired: r1/]) t.regex(text, part)
  await it.restart()
  const [seen] = (await it.world(() => true)).routerNodes
  t.deepEqual(seen?.resource.spec, { index: 3, addresses: { vteps: ['10.0.0.4'] } })
})

test('Secrets are in the snapshot, and in no file that others may read', async (t) => {
  const secret = 'apiVersion: v1\nkind: Secret\nmetadata: { name: tor }\nstringData: { password: hidden }\n'
  const it = await stage(t, { 'secret.yaml': secret })
  const world = await it.world(() => true)
  t.is(world.snapshot.secrets['tor']?.data['password'], 'hidden')
  t.is(statSync(join(it.state, 'config.json')).mode & 0o777, 0o600)
  t.is(statSync(it.state).mode & 0o777, 0o700)
  t.false(it.log.join('\n').includes('hidden'))
})

test('a state directory that cannot be used stops nothing, and is used again by itself', async (t) => {
  const it = await stage(t, { 'a.yaml': resource('L2VNI', 'a', '{ vni: 1 }') })
  const before = await it.world(() => true)
  const nodes = join(it.state, 'nodes')
  rmSync(nodes, { recursive: true })
  writeFileSync(nodes, 'no directory')
  it.store.agentConnected('vm1', {})
  writeFileSync(join(it.config, 'b.yaml'), resource('L2VNI', 'b', '{ vni: 2 }'))
  await until(() => it.log.some((line) => line.includes('the state directory cannot be used')), 'it is told')
  t.is(it.store.world, before)
  rmSync(nodes)
  mkdirSync(nodes)
  const after = await it.world((world) => find(world, 'b') !== undefined)
  t.deepEqual(
    after.nodes.map(({ name }) => name),
    ['vm1'],
  )
  t.true(existsSync(join(nodes, 'vm1.yaml')))
})

test('what could not be written of a node is written when it is tried again', async (t) => {
  const it = await stage(t, {})
  it.store.agentConnected('vm1', {})
  const [node] = (await it.world(({ nodes }) => nodes.length === 1)).nodes
  const spec = { index: 3, addresses: { vteps: [], hostSessions: [] } }
  // In the way of the file that is written aside.
  const aside = join(it.state, 'nodes', 'vm1.yaml.new')
  mkdirSync(aside)
  if (node) await t.throwsAsync(it.store.applyRouterNode(node, spec))
  it.store.agentConnected('vm2', {})
  const world = await it.world(({ nodes }) => nodes.length === 2)
  t.deepEqual(world.routerNodes, [])
  rmSync(aside, { recursive: true })
  if (node) await it.store.applyRouterNode(node, spec)
  t.is((await it.world(({ routerNodes }) => routerNodes.length === 1)).routerNodes[0]?.resource.spec.index, 3)
})

test('the ledger is what was saved', async (t) => {
  const it = await stage(t, {})
  t.is(await it.store.loadLedger(), undefined)
  await it.store.saveLedger('numbers')
  t.is(await (await it.restart()).loadLedger(), 'numbers')
})

test('a directory that is away leaves the world as it was', async (t) => {
  const it = await stage(t, { 'a.yaml': resource('L2VNI', 'a', '{ vni: 1 }') })
  const before = await it.world(() => true)
  rmSync(it.config, { recursive: true })
  for (let at = 0; at < 12_000 && !it.log.some((line) => line.includes('what was planned stays')); at++)
    await new Promise((resolve) => setTimeout(resolve, 5))
  t.true(it.log.some((line) => line.includes('what was planned stays')))
  t.is(it.store.world?.snapshot, before.snapshot)
})
