/** The same code against the whole API server of the tests, with what befalls API servers. */
import test from 'ava'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startApiServer, type ApiServer } from '../../e2e/apiserver/server.ts'
import { Api } from './api.ts'
import { EventRecorder } from './events.ts'
import { clusterOfKubeconfig } from './kubeconfig.ts'
import { Election } from './lease.ts'
import { memoryLog, until } from './loopback-server.ts'
import { NamedObjects } from './named-objects.ts'
import type { KubeObject, ResourceType } from './object.ts'
import { Reflector } from './reflector.ts'
import { updateObject } from './stored-object.ts'

const NEVER = new AbortController().signal
const configMaps: ResourceType = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }
const nodes: ResourceType = { group: '', version: 'v1', plural: 'nodes', kind: 'Node' }
const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }
const events: ResourceType = { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event' }
const QUICK = { firstRetryMs: 10, longestRetryMs: 50, healthyMs: 100 }

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

async function apiOf(server: ApiServer): Promise<Api> {
  const directory = await mkdtemp(join(tmpdir(), 'kube-'))
  const file = join(directory, 'kubeconfig')
  await writeFile(file, server.kubeconfig())
  const api = new Api({ cluster: clusterOfKubeconfig(file), userAgent: 'test' })
  await rm(directory, { recursive: true })
  return api
}

const configMap = (name: string, value = '0'): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data: { value },
})

test('whatever befalls watches and server, the reflector ends up with what the server has', async (t) => {
  await using server = await startApiServer({ history: 50 })
  const api = await apiOf(server)
  const stop = new AbortController()
  const told = new Map<string, string>()
  const reflector = new Reflector<ConfigMap>({
    api,
    of: { type: configMaps, namespace: 'default' },
    transform: (object) => object as ConfigMap,
    onChange: (change) => {
      if (change.type === 'set') told.set(change.key, change.object.data?.['value'] ?? '')
      if (change.type === 'delete') told.delete(change.key)
    },
    log: memoryLog(),
    timing: { ...QUICK, watchSeconds: 2, graceMs: 300 },
  })
  const running = reflector.run(stop.signal)
  await reflector.whenSynced(AbortSignal.timeout(60_000))
  const troubles: readonly (() => unknown)[] = [
    () => server.watches.lose('reset'),
    () => server.watches.lose('gone'),
    () => server.watches.lose('end'),
    () => server.watches.lose('drop') + Number(setTimeout(() => server.watches.lose('gone'), 50).hasRef()),
    () => server.watches.lose('mute'),
    () => server.faults.add({ kind: 'status', code: 500 }, { match: { verb: 'watch' }, times: 2 }),
    () => server.faults.add({ kind: 'status', code: 429, retryAfterSeconds: 0 }, { match: { verb: 'list' }, times: 2 }),
    () => server.front.down().then(() => server.front.up()),
  ]
  let value = 0
  for (const trouble of troubles) {
    await trouble()
    for (let i = 0; i < 20; i += 1) {
      const name = `c${(value += 1) % 7}`
      const wanted = configMap(name, String(value))
      if (value % 5 === 0) await api.delete({ type: configMaps, namespace: 'default', name }).catch(() => {})
      else await api.apply({ type: configMaps, namespace: 'default', name }, wanted, { fieldManager: 'test' })
    }
    const { items } = await api.list<ConfigMap>({ type: configMaps, namespace: 'default' })
    const there = items.map(({ metadata, data }) => `default/${metadata.name}=${data?.['value']}`).sort()
    const known = (): string[] => [...told].map(([key, each]) => `${key}=${each}`).sort()
    await until(`what the server has, after ${trouble}`, () => known().join() === there.join())
    t.deepEqual([...reflector.objects.keys()].sort(), [...told.keys()].sort())
  }
  stop.abort()
  await running
  api.close()
})

test('a frozen server is noticed, and left behind when it thaws', async (t) => {
  await using server = await startApiServer()
  const api = await apiOf(server)
  const stop = new AbortController()
  const failures: string[] = []
  const reflector = new Reflector<KubeObject>({
    api,
    of: { type: nodes },
    transform: (object) => object,
    onChange: () => {},
    log: memoryLog(),
    timing: { ...QUICK, watchSeconds: 1, graceMs: 300 },
    observe: (event) => event.type === 'failed' && failures.push(event.reason),
  })
  const running = reflector.run(stop.signal)
  await until('a watch', () => reflector.connected)
  server.front.freeze()
  await until('the failure', () => failures.includes('Timeout'))
  await server.front.down()
  await server.front.up()
  server.front.thaw()
  await api.apply({ type: nodes, name: 'n1' }, {}, { fieldManager: 'test' })
  await until('the node', () => reflector.objects.has('n1'))
  t.pass()
  stop.abort()
  await running
  api.close()
})

test('two replicas: one leads, a clean stop hands over, both over real HTTP', async (t) => {
  await using server = await startApiServer()
  const api = await apiOf(server)
  const replica = (identity: string) => {
    const stop = new AbortController()
    const election = new Election({
      api,
      namespace: 'default',
      name: 'it',
      identity,
      address: `${identity}:7443`,
      // Longer than anybody here waits: nothing but the handing over makes b lead.
      leaseDurationMs: 600_000,
      renewDeadlineMs: 400_000,
      retryPeriodMs: 200,
      onChange: () => {},
      log: memoryLog(),
    })
    return { election, stop, running: election.run(stop.signal) }
  }
  const a = replica('a')
  await until('a leads', () => a.election.state.leads)
  const b = replica('b')
  const knows = (): boolean => {
    const { state } = b.election
    return !state.leads && state.leader === 'a:7443'
  }
  await until('b knows a', knows)
  a.stop.abort()
  await a.running
  await until('b leads', () => b.election.state.leads)
  t.pass()
  b.stop.abort()
  await b.running
  api.close()
})

test('Events are taken by the server, and a second one of the kind becomes a series', async (t) => {
  await using server = await startApiServer()
  const api = await apiOf(server)
  const log = memoryLog()
  const recorder = new EventRecorder({
    api,
    reportingController: 'test.example/controller',
    reportingInstance: 'pod-1',
    windowMs: 0,
    log,
  })
  const regarding = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u' }
  const occurrence = { regarding, type: 'Warning', reason: 'Broken', action: 'Plan', note: 'is broken' } as const
  recorder.record(occurrence)
  const written = async (): Promise<readonly (KubeObject & { series?: { count: number } })[]> =>
    (await api.list<KubeObject & { series?: { count: number } }>({ type: events, namespace: 'default' })).items
  while ((await written()).length === 0) t.deepEqual(log.lines, [])
  recorder.record(occurrence)
  await recorder.close(NEVER)
  t.deepEqual(log.lines, [])
  const all = await written()
  t.is(all.length, 1)
  t.is(all[0]?.series?.count, 2)
  api.close()
})

test('Secrets by name and a ConfigMap that two write at one time', async (t) => {
  await using server = await startApiServer()
  const api = await apiOf(server)
  const told: string[] = []
  const named = new NamedObjects<KubeObject>({
    api,
    of: { type: secrets, namespace: 'default' },
    transform: (object) => object,
    onChange: (name) => told.push(`${name} ${named.get(name).type}`),
    log: memoryLog(),
    timing: QUICK,
  })
  named.watch(new Set(['s1']))
  await until('that there is none', () => told.length === 1)
  const s1 = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's1', namespace: 'default' }, data: {} }
  await api.create({ type: secrets, namespace: 'default' }, s1)
  await api.create({ type: secrets, namespace: 'default' }, { ...s1, metadata: { name: 's2', namespace: 'default' } })
  await until('that it is there', () => told.length === 2)
  t.deepEqual(told, ['s1 missing', 's1 there'])
  await named.close()

  const at = { type: configMaps, namespace: 'default', name: 'numbers' }
  const increment = (now: ConfigMap | undefined): ConfigMap =>
    configMap('numbers', String(Number(now?.data?.['value'] ?? '0') + 1))
  await Promise.all(Array.from({ length: 4 }, () => updateObject<ConfigMap>(api, at, increment)))
  t.is((await api.get<ConfigMap>(at)).data?.['value'], '4')
  api.close()
})
