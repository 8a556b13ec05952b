import test from 'ava'
import { ManualClock } from '../../pace/manual-clock.ts'
import { Api, type Call } from './api.ts'
import { ApiError } from './api-error.ts'
import { json, leaf, loopbackServer, object, secret, status, until } from './loopback-server.ts'

const at = { type: leaf, name: 'a' }

async function failureOf(work: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ApiError)) throw new Error('no ApiError', { cause: error })
  return error
}

test('verbs become methods, paths and bodies', async (t) => {
  const server = await loopbackServer((_, response) => json(response, 200, object('a', 1)))
  const calls: string[] = []
  const observe = ({ verb, at: { subresource }, result }: Call): void =>
    void calls.push(`${verb} ${subresource ?? ''} ${result}`)
  const api = new Api({ cluster: server.cluster, userAgent: 'nodeleaf/1', observe })
  const inNamespace = { type: secret, namespace: 'ns', name: 'x' }
  await api.get(at)
  await api.create({ type: leaf }, object('a', 0))
  await api.replace({ ...at, subresource: 'status' }, object('a', 0))
  await api.apply({ ...at, subresource: 'status' }, { status: { ok: true } }, { fieldManager: 'nodeleaf' })
  await api.mergePatch(inNamespace, { metadata: { labels: { a: 'b' } } }, { fieldManager: 'nodeleaf' })
  await api.delete(inNamespace, { preconditions: { uid: 'u' } })
  t.deepEqual(
    server.received.map(({ method, path, headers }) => [method, path, headers['content-type']]),
    [
      ['GET', '/apis/test.example/v1/leaves/a', undefined],
      ['POST', '/apis/test.example/v1/leaves', 'application/json'],
      ['PUT', '/apis/test.example/v1/leaves/a/status', 'application/json'],
      ['PATCH', '/apis/test.example/v1/leaves/a/status', 'application/apply-patch+yaml'],
      ['PATCH', '/api/v1/namespaces/ns/secrets/x', 'application/merge-patch+json'],
      ['DELETE', '/api/v1/namespaces/ns/secrets/x', 'application/json'],
    ],
  )
  t.deepEqual(server.received[3]?.query, { fieldManager: 'nodeleaf', force: 'true' })
  t.deepEqual(JSON.parse(server.received[3]?.body ?? ''), {
    apiVersion: 'test.example/v1',
    kind: 'Leaf',
    metadata: { name: 'a' },
    status: { ok: true },
  })
  t.is(server.received[0]?.headers['user-agent'], 'nodeleaf/1')
  t.deepEqual(calls, ['get  OK', 'create  OK', 'update status OK', 'patch status OK', 'patch  OK', 'delete  OK'])
  api.close()
  await server.close()
})

test('429 is waited out as long as the server asks, also by requests that must not be repeated', async (t) => {
  let asked = 0
  const server = await loopbackServer((_, response) => {
    asked += 1
    if (asked < 3) status(response, 429, 'TooManyRequests', { 'retry-after': '7' })
    else json(response, 201, object('a', 1))
  })
  const clock = new ManualClock()
  const api = new Api({ cluster: server.cluster, userAgent: 'test', clock, random: () => 0 })
  const created = api.create({ type: leaf }, object('a', 0))
  await until('the first answer', () => asked === 1)
  await clock.advance(6900)
  t.is(asked, 1)
  await until('the third answer', () => {
    void clock.advance(100)
    return asked === 3
  })
  t.is((await created).metadata.name, 'a')
  t.true(clock.now() >= 14_000, String(clock.now()))
  api.close()
  await server.close()
})

test('a busy server is asked so often and no more', async (t) => {
  const server = await loopbackServer((_, response) => status(response, 429, 'TooManyRequests', { 'retry-after': '0' }))
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const error = await failureOf(api.get(at, { attempts: 2 }))
  t.is(error.status, 429)
  t.is(error.retryAfterSeconds, 0)
  t.is(server.received.length, 2)
  api.close()
  await server.close()
})

test('a connection that breaks is no failure of a get, but one of a create', async (t) => {
  let asked = 0
  const server = await loopbackServer((_, response) => {
    asked += 1
    if (asked % 2 === 1) response.destroy()
    else json(response, 200, object('a', 1))
  })
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  t.is((await api.get(at)).metadata.name, 'a')
  const error = await failureOf(api.create({ type: leaf }, object('a', 0)))
  t.is(error.reason, 'Unreachable')
  t.is(asked, 3)
  asked = 0
  t.is((await api.create({ type: leaf }, object('a', 0), { repeatable: true })).metadata.name, 'a')
  api.close()
  await server.close()
})

test('a server that is not there is named', async (t) => {
  const server = await loopbackServer(() => {})
  await server.close()
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const error = await failureOf(api.list({ type: leaf }, {}, { attempts: 2 }))
  t.is(error.status, 0)
  t.regex(
    error.message,
    /^cannot list leaves\.test\.example: .*ECONNREFUSED.*\(API server http:\/\/127\.0\.0\.1:\d+\)$/,
  )
  api.close()
})

test('no answer, or one that never ends, is a Timeout', async (t) => {
  const server = await loopbackServer(() => {})
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  t.is((await failureOf(api.get(at, { timeoutMs: 100 }))).reason, 'Timeout')
  server.handle = (_, response) => void response.writeHead(200).write('{"meta')
  t.is((await failureOf(api.get(at, { timeoutMs: 100 }))).reason, 'Timeout')
  api.close()
  await server.close()
})

test('an answer that is cut off or is no JSON is told as such', async (t) => {
  const server = await loopbackServer((_, response) => void response.writeHead(200).end('<html>'))
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  t.is((await failureOf(api.get(at))).reason, 'BadAnswer')
  api.close()
  await server.close()
})

test('who aborts gets his own reason back, at once', async (t) => {
  const server = await loopbackServer(() => {})
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const stop = new AbortController()
  const waiting = api.get(at, { signal: stop.signal })
  await until('the request', () => server.received.length === 1)
  stop.abort(new Error('enough'))
  await t.throwsAsync(waiting, { message: 'enough' })
  api.close()
  await server.close()
})

test('refusals say what to do', async (t) => {
  const server = await loopbackServer((_, response) => status(response, 403, 'Forbidden'))
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const forbidden = await failureOf(api.replace({ ...at, subresource: 'status' }, {}))
  t.is(forbidden.reason, 'Forbidden')
  t.regex(
    forbidden.message,
    /cannot update leaves\.test\.example\/status a: not permitted; grant the verb "update" on resource "leaves\/status"/,
  )
  server.handle = (_, response) => status(response, 401, 'Unauthorized')
  t.regex((await failureOf(api.get(at))).message, /does not accept the credentials/)
  server.handle = (_, response) => status(response, 409, 'Conflict')
  t.is((await failureOf(api.replace(at, {}))).status, 409)
  api.close()
  await server.close()
})

test('what the server says about the contents of a Secret is not repeated', async (t) => {
  const server = await loopbackServer((_, response) =>
    json(response, 422, { kind: 'Status', code: 422, reason: 'Invalid', message: 'data.x: Invalid value: "hunter2"' }),
  )
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const error = await failureOf(api.replace({ type: secret, namespace: 'ns', name: 'x' }, { data: { x: 'hunter2' } }))
  t.false(error.message.includes('hunter2'))
  t.is(error.reason, 'Invalid')
  api.close()
  await server.close()
})

test('connections are kept', async (t) => {
  const ports = new Set<number | undefined>()
  const server = await loopbackServer((_, response) => {
    ports.add(response.socket?.remotePort)
    json(response, 200, object('a', 1))
  })
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  for (let i = 0; i < 5; i += 1) await api.get(at)
  t.is(ports.size, 1)
  api.close()
  await server.close()
})
