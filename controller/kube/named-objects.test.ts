import test from 'ava'
import type { ServerResponse } from 'node:http'
import { Api } from './api.ts'
import { json, loopbackServer, memoryLog, secret, until } from './loopback-server.ts'
import { NamedObjects } from './named-objects.ts'
import type { KubeObject } from './object.ts'

test('named objects are watched one by one, and the names may change', async (t) => {
  const stored = new Map<string, KubeObject>()
  const watches = new Map<string, ServerResponse>()
  let version = 10
  const put = (name: string): KubeObject => {
    const object = { metadata: { name, namespace: 'ns', uid: name, resourceVersion: String((version += 1)) } }
    stored.set(name, object)
    return object
  }
  const server = await loopbackServer((received, response) => {
    const name = received.query['fieldSelector']?.replace('metadata.name=', '') ?? ''
    if (received.query['watch'] === 'true') {
      response.writeHead(200)
      response.flushHeaders()
      watches.set(name, response)
      response.on('close', () => watches.delete(name))
      return
    }
    const object = stored.get(name)
    json(response, 200, { metadata: { resourceVersion: String(version) }, items: object === undefined ? [] : [object] })
  })
  const told: string[] = []
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const secrets = new NamedObjects<KubeObject>({
    api,
    of: { type: secret, namespace: 'ns' },
    transform: (object) => object,
    onChange: (name) => told.push(`${name} ${secrets.get(name).type}`),
    log: memoryLog(),
  })
  put('a')
  secrets.watch(new Set(['a', 'b']))
  t.deepEqual(secrets.get('a'), { type: 'unknown' })
  t.false(secrets.synced)
  await until('both', () => told.length === 2)
  t.deepEqual(told.toSorted(), ['a there', 'b missing'])
  t.true(secrets.synced)
  await until('watches', () => watches.size === 2)
  t.true(
    server.received.every(
      ({ path, query }) => path === '/api/v1/namespaces/ns/secrets' && query['fieldSelector'] !== undefined,
    ),
  )

  watches.get('b')?.write(`${JSON.stringify({ type: 'ADDED', object: put('b') })}\n`)
  await until('b', () => told.length === 3)
  t.is(told[2], 'b there')

  put('c')
  secrets.watch(new Set(['b', 'c']))
  t.deepEqual(secrets.get('a'), { type: 'unknown' })
  await until('c', () => told.length === 4)
  t.is(told[3], 'c there')
  await until('the watch of a to end', () => !watches.has('a'))
  watches.get('b')?.write(`${JSON.stringify({ type: 'DELETED', object: put('b') })}\n`)
  await until('b is gone', () => told.length === 5)
  t.is(told[4], 'b missing')
  await secrets.close()
  await until('no watches', () => watches.size === 0)
  api.close()
  await server.close()
})

test('one that may not be read holds up nobody, another that is only slow does', async (t) => {
  let slow: ServerResponse | undefined
  const server = await loopbackServer((received, response) => {
    if (received.query['watch'] === 'true') return void response.writeHead(200).flushHeaders()
    if (received.query['fieldSelector'] === 'metadata.name=slow' && slow === undefined) slow = response
    else if (received.query['fieldSelector'] === 'metadata.name=slow')
      json(response, 200, { metadata: { resourceVersion: '1' }, items: [] })
    else json(response, 403, { kind: 'Status', code: 403, reason: 'Forbidden', message: 'no' })
  })
  const failed: string[] = []
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const secrets = new NamedObjects<KubeObject>({
    api,
    of: { type: secret, namespace: 'ns' },
    transform: (object) => object,
    onChange: () => {},
    observe: (what) => void (what.type === 'failed' && failed.push(what.reason)),
    log: memoryLog(),
  })
  secrets.watch(new Set(['forbidden', 'slow']))
  await until('the refusal', () => failed.includes('Forbidden') && slow !== undefined)
  t.false(secrets.synced)
  if (slow) json(slow, 200, { metadata: { resourceVersion: '1' }, items: [] })
  await until('the other one', () => secrets.synced)
  t.deepEqual(secrets.get('forbidden'), { type: 'unknown' })
  t.deepEqual(secrets.get('slow'), { type: 'missing' })
  await secrets.close()
  api.close()
  await server.close()
})
