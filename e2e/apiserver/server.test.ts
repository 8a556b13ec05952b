import test, { type ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { request as post } from 'node:http'
import { startApiServer, type ApiServer, type ApiServerOptions } from './server.ts'
import { Client, type KubeObject, type WatchEvent } from '../control-plane/client.ts'
import { eventually } from '../control-plane/cluster.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const map = (name: string, data: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
})

async function started(
  t: ExecutionContext,
  options: ApiServerOptions = {},
): Promise<{ server: ApiServer; client: Client }> {
  const server = await startApiServer(options)
  const client = new Client({ url: server.url, ca: server.ca, token: server.adminToken })
  t.teardown(async () => {
    client[Symbol.dispose]()
    await server.close()
  })
  return { server, client }
}

const code = (error: unknown): string => (error as { code?: string }).code ?? String(error)

/** A watch that is read from now on; `events` grows, `ended` tells how it ended. */
function follow(
  t: ExecutionContext,
  client: Client,
  path: string,
): { readonly events: WatchEvent[]; readonly ended: Promise<string> } {
  const events: WatchEvent[] = []
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  const ended = (async () => {
    try {
      for await (const event of client.watch(path, abort.signal)) events.push(event)
      return 'end'
    } catch (error) {
      return code(error)
    }
  })()
  return { events, ended }
}

test('a request meets its fault as often as it shall, others do not', async (t) => {
  const { server, client } = await started(t)
  server.faults.add(
    { kind: 'status', code: 429, retryAfterSeconds: 7 },
    { match: { verb: 'list', resource: 'configmaps' }, times: 2 },
  )
  const seen = [
    await client.call('GET', maps),
    await client.call('GET', '/api/v1/nodes'),
    await client.call('GET', maps),
    await client.call('GET', maps),
  ]
  t.deepEqual(
    seen.map(({ status }) => status),
    [429, 200, 429, 200],
  )
  t.is(seen[0]?.headers['retry-after'], '7')
  t.like(seen[0]?.body, { kind: 'Status', reason: 'TooManyRequests' })
})

test('a reset request is not carried out, one whose answer is lost is', async (t) => {
  const { server, client } = await started(t)
  for (const [name, kind] of [
    ['reset', 'reset'],
    ['lost', 'lost-answer'],
  ] as const) {
    server.faults.add({ kind }, { times: 1 })
    t.is(code(await t.throwsAsync(client.call('POST', maps, { body: map(name) }))), 'ECONNRESET')
  }
  t.is((await client.call('GET', `${maps}/reset`)).status, 404)
  t.is((await client.call('GET', `${maps}/lost`)).status, 200)
})

test('a request that stalls gets no answer; the next one does', async (t) => {
  const { server, client } = await started(t)
  server.faults.add({ kind: 'stall' }, { match: { name: 'stalled' } })
  const stalled = client.call('GET', `${maps}/stalled`)
  t.is((await client.call('GET', maps)).status, 200)
  server.front.reset()
  t.is(code(await t.throwsAsync(stalled)), 'ECONNRESET')
})

test('down: connections are refused and open ones reset; up: it is back on the same port with all it had', async (t) => {
  const { server, client } = await started(t)
  await client.ask('POST', maps, { body: map('kept') })
  const { ended } = follow(t, client, maps)
  await eventually('the watch is open', () => server.watches.count() === 1)
  await server.front.down()
  t.not(await ended, 'end')
  t.is(code(await t.throwsAsync(client.call('GET', maps))), 'ECONNREFUSED')
  await server.front.up()
  t.is((await client.call('GET', `${maps}/kept`)).status, 200)
})

test('frozen: connections are taken, and nothing is said until it thaws', async (t) => {
  const { server, client } = await started(t)
  await client.call('GET', maps)
  server.front.freeze()
  let answered = 0
  const old = client.call('GET', maps).then(() => (answered += 1))
  const other = new Client(client.target)
  t.teardown(() => other[Symbol.dispose]())
  const fresh = other.call('GET', maps).then(() => (answered += 1))
  await eventually('the request is on its way', () => server.front.connections >= 1)
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.is(answered, 0)
  server.front.thaw()
  await Promise.all([old, fresh])
  t.is(answered, 2)
})

for (const [how, expected] of [
  ['end', 'end'],
  ['reset', 'ECONNRESET'],
  ['gone', 'end'],
] as const)
  test(`a watch is lost: ${how}`, async (t) => {
    const { server, client } = await started(t)
    const { events, ended } = follow(t, client, maps)
    await eventually('the watch is open', () => server.watches.count({ resource: 'configmaps' }) === 1)
    t.is(server.watches.lose(how, { resource: 'nodes' }), 0)
    t.is(server.watches.lose(how), 1)
    t.is(await ended, expected)
    t.deepEqual(
      events.map(({ type, object }) => [type, object['code']]),
      how === 'gone' ? [['ERROR', 410]] : [],
    )
  })

test('a mute watch stays open and misses what happens; a compaction makes its revision too old', async (t) => {
  const { server, client } = await started(t)
  const { events } = follow(t, client, maps)
  await eventually('the watch is open', () => server.watches.count() === 1)
  const before = server.store.revision
  server.watches.lose('mute')
  await client.ask('POST', maps, { body: map('unseen') })
  t.deepEqual(events, [])
  server.store.compact()
  const late = follow(t, client, `${maps}?resourceVersion=${before}`)
  t.is(await late.ended, 'end')
  t.like(late.events[0], { type: 'ERROR', object: { code: 410 } })
})

test('every request is on the list, with who, what, how it ended and how many bytes', async (t) => {
  const { server, client } = await started(t, { users: { secret: { username: 'eve', groups: [] } } })
  await client.ask('POST', maps, { body: map('listed') })
  await client.call('GET', `${maps}/nobody`, {}, 'secret')
  t.like(server.audit.entries({ verb: 'create' })[0], {
    resource: 'configmaps',
    namespace: 'default',
    status: 201,
    user: 'kubernetes-admin',
  })
  t.like(server.audit.entries({ user: 'eve' })[0], { verb: 'get', name: 'nobody', status: 404 })
  t.true(server.audit.entries().every(({ sent }) => sent > 0))
})

test('tokens: expired, of another audience, of an account that is not there, forged', async (t) => {
  const { server, client } = await started(t)
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'agent', namespace: 'default' } }
  await client.apply(account)
  const order = { namespace: 'default', name: 'agent', audiences: ['nodeleaf'], expirationSeconds: 60 }
  const error = (change: object): string => {
    const review = server.tokens.review(server.tokens.issue({ ...order, ...change }).token, ['nodeleaf'])
    return 'error' in review ? review.error : review.user.username
  }
  t.is(error({}), 'system:serviceaccount:default:agent')
  t.regex(error({ expirationSeconds: -1 }), /expired/)
  t.regex(error({ audiences: ['other'] }), /audiences/)
  t.regex(error({ name: 'nobody' }), /invalidated/)
  t.regex(error({ bound: { kind: 'Pod', name: 'gone' } }), /pod not found/)
  const { token } = server.tokens.issue(order)
  const [head = '', , signature = ''] = token.split('.')
  const claims = Buffer.from(
    JSON.stringify({ aud: ['nodeleaf'], sub: 'system:serviceaccount:default:admin' }),
  ).toString('base64url')
  t.deepEqual(server.tokens.review(`${head}.${claims}.${signature}`, ['nodeleaf']), { error: 'invalid bearer token' })
})

test('with garbage collection, what a gone node owned goes after it', async (t) => {
  const { client } = await started(t, { garbageCollection: true })
  const node = await client.ask('POST', '/api/v1/nodes', { body: { metadata: { name: 'n' } } })
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: node.metadata.uid }]
  await client.ask('POST', maps, { body: { metadata: { name: 'owned', ownerReferences } } })
  await client.ask('DELETE', '/api/v1/nodes/n')
  t.true(await eventually('it is gone', async () => (await client.call('GET', `${maps}/owned`)).status === 404))
})

test('a ConfigMap of more than a MiB is refused', async (t) => {
  const { client } = await started(t)
  const { status, body } = await client.call('POST', maps, { body: map('large', { text: 'x'.repeat(2 ** 20 + 1) }) })
  t.deepEqual([status, body.reason, body.details.causes[0].reason], [422, 'Invalid', 'FieldValueTooLong'])
})

test('what etcd would not take is refused', async (t) => {
  const { client } = await started(t)
  const { status, body } = await client.call('POST', maps, {
    body: { metadata: { name: 'large', annotations: { text: 'x'.repeat(1.6e6) } } },
  })
  t.is(status, 500)
  t.regex(body.message, /request is too large/)
})

test('the program comes back after a kill with its state, its tokens and its revisions; its control port takes orders', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'nodeleaf-apiserver-'))
  t.teardown(() => rmSync(home, { recursive: true }))
  const files = { kubeconfig: join(home, 'kubeconfig'), state: join(home, 'state'), control: join(home, 'control') }
  const crds = join(import.meta.dirname, '../../deploy/crds')
  const start = async () => {
    const args = [
      '--kubeconfig-out',
      files.kubeconfig,
      '--state',
      files.state,
      '--control',
      files.control,
      '--crds',
      crds,
    ]
    const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const { clusters, users } = JSON.parse(readFileSync(files.kubeconfig, 'utf8')) as {
      clusters: { cluster: { server: string; 'certificate-authority-data': string } }[]
      users: { user: { token: string } }[]
    }
    const cluster = clusters[0]?.cluster
    t.is(line, `listening ${cluster?.server ?? ''}`)
    const ca = Buffer.from(cluster?.['certificate-authority-data'] ?? '', 'base64').toString()
    const client = new Client({ url: cluster?.server ?? '', ca, token: users[0]?.user.token ?? '' })
    t.teardown(() => client[Symbol.dispose]())
    return { child, client }
  }
  const first = await start()
  const made = await first.client.ask('POST', '/apis/nodeleaf.io/v1alpha1/l3vnis', {
    body: { metadata: { name: 'red' }, spec: { vni: 1, vrf: 'red' } },
  })
  const ended = once(first.child, 'exit')
  first.child.kill('SIGKILL')
  await ended

  const second = await start()
  t.is(second.client.target.token, first.client.target.token)
  const found = await second.client.ask('GET', '/apis/nodeleaf.io/v1alpha1/l3vnis/red')
  t.deepEqual(found, made)
  const next = await second.client.ask('POST', maps, { body: map('later') })
  t.true(Number(next.metadata.resourceVersion) > Number(made.metadata.resourceVersion))

  const order = async (body: object): Promise<void> => {
    const sent = post({ socketPath: files.control, method: 'POST' })
    sent.end(JSON.stringify(body))
    const [answer] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    answer.resume()
    t.is(answer.statusCode, 200)
  }
  await order({ do: 'fault', fault: { kind: 'status', code: 500 }, times: 1 })
  t.is((await second.client.call('GET', maps)).status, 500)
  t.is((await second.client.call('GET', maps)).status, 200)
})
