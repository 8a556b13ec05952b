import test from 'ava'
import type { ServerResponse } from 'node:http'
import { Api } from './api.ts'
import { json, leaf, loopbackServer, memoryLog, object, status, until, type Received } from './loopback-server.ts'
import type { LoopbackServer } from './loopback-server.ts'
import type { KubeObject } from './object.ts'
import { Reflector, type ReflectorTiming } from './reflector.ts'

/** A server with a few objects, whose watches the test holds in its hand. */
class Leaves {
  objects: KubeObject[] = []
  version = 100
  /** Watches that are open, newest last. */
  readonly watches: ServerResponse[] = []
  list(received: Received, response: ServerResponse): void {
    const limit = Number(received.query['limit'] ?? Infinity)
    const from = Number(received.query['continue'] ?? 0)
    const items = this.objects.slice(from, from + limit)
    const more = from + limit < this.objects.length ? { continue: String(from + limit) } : {}
    json(response, 200, { metadata: { resourceVersion: String(this.version), ...more }, items })
  }
  watch(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    this.watches.push(response)
  }
  handle = (received: Received, response: ServerResponse): void =>
    received.query['watch'] === 'true' ? this.watch(response) : this.list(received, response)
  send(type: string, sent: object): void {
    this.watches.at(-1)?.write(`${JSON.stringify({ type, object: sent })}\n`)
  }
}

const QUICK: Partial<ReflectorTiming> = { firstRetryMs: 5, longestRetryMs: 20, healthyMs: 200 }

async function reflecting(
  leaves: Leaves,
  more: {
    timing?: Partial<ReflectorTiming>
    transform?: (o: KubeObject) => KubeObject | undefined
    server?: LoopbackServer
  } = {},
) {
  const server = more.server ?? (await loopbackServer(leaves.handle))
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const log = memoryLog()
  const stop = new AbortController()
  const changes: string[] = []
  const reflector = new Reflector<KubeObject>({
    api,
    of: { type: leaf },
    transform: more.transform ?? ((o) => o),
    log,
    timing: { ...QUICK, ...more.timing },
    onChange: (change) => changes.push(change.type === 'synced' ? 'synced' : `${change.type} ${change.key}`),
  })
  const running = reflector.run(stop.signal)
  const end = async (): Promise<void> => {
    stop.abort()
    await running
    api.close()
    await server.close()
  }
  const watches = (): number => server.received.filter(({ query }) => query['watch'] === 'true').length
  const lists = (): number => server.received.length - watches()
  return { server, log, changes, reflector, end, watches, lists }
}

test('what the list has is told, then synced, then what the watch brings', async (t) => {
  const leaves = new Leaves()
  leaves.objects = [object('a', 1), object('b', 2)]
  const it = await reflecting(leaves)
  await it.reflector.whenSynced(AbortSignal.timeout(60_000))
  t.deepEqual(it.changes, ['set a', 'set b', 'synced'])
  await until('a watch', () => leaves.watches.length === 1)
  leaves.send('ADDED', object('c', 101))
  leaves.send('MODIFIED', object('a', 102))
  leaves.send('DELETED', object('b', 103))
  await until('the deletion', () => it.changes.includes('delete b'))
  t.deepEqual(it.changes.slice(3), ['set c', 'set a', 'delete b'])
  t.deepEqual([...it.reflector.objects.keys()], ['a', 'c'])
  t.is(it.reflector.objects.get('a')?.kind, 'Leaf')
  await it.end()
})

test('a long list comes in pages and is one', async (t) => {
  const leaves = new Leaves()
  leaves.objects = Array.from({ length: 1201 }, (_, i) => object(`leaf-${i}`, i))
  const it = await reflecting(leaves)
  await it.reflector.whenSynced(AbortSignal.timeout(60_000))
  t.is(it.reflector.objects.size, 1201)
  t.is(it.lists(), 3)
  t.is(it.server.received[0]?.query['limit'], '500')
  await it.end()
})

test('when a page has expired the list is asked for again, in one piece', async (t) => {
  const leaves = new Leaves()
  leaves.objects = Array.from({ length: 600 }, (_, i) => object(`leaf-${i}`, i))
  const server = await loopbackServer((received, response) =>
    received.query['continue'] === undefined ? leaves.handle(received, response) : status(response, 410, 'Expired'),
  )
  const it = await reflecting(leaves, { server })
  await it.reflector.whenSynced(AbortSignal.timeout(60_000))
  t.is(it.reflector.objects.size, 600)
  await it.end()
})

test('after a reset the watch goes on where it was, without a list of everything', async (t) => {
  const leaves = new Leaves()
  leaves.objects = [object('a', 1)]
  const it = await reflecting(leaves)
  await until('a watch', () => leaves.watches.length === 1)
  leaves.send('BOOKMARK', { metadata: { resourceVersion: '150' } })
  leaves.send('MODIFIED', object('a', 160))
  await until('the change', () => it.changes.filter((change) => change === 'set a').length === 2)
  leaves.version = 170
  it.server.reset()
  await until('another watch', () => leaves.watches.length === 2)
  t.is(it.server.received.at(-1)?.query['resourceVersion'], '160')
  t.deepEqual(it.server.received.filter(({ query }) => query['limit'] === '500').length, 1)
  leaves.send('DELETED', object('a', 171))
  await until('the deletion', () => it.changes.includes('delete a'))
  t.deepEqual(it.log.lines, [], 'a reset that heals at once is not worth a line')
  await it.end()
})

for (const [how, refuse] of [
  ['as an answer', (leaves: Leaves, response: ServerResponse) => (void leaves, status(response, 410, 'Expired'))],
  [
    'inside the stream',
    (leaves: Leaves, response: ServerResponse) => {
      leaves.watch(response)
      leaves.send('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' })
    },
  ],
] as const) {
  test(`a version that is too old (410 ${how}) leads to a new list, whose differences are told`, async (t) => {
    const leaves = new Leaves()
    leaves.objects = [object('a', 1), object('b', 2), object('c', 3)]
    const it = await reflecting(leaves)
    await until('a watch', () => leaves.watches.length === 1)
    let refused = 0
    it.server.handle = (received, response) => {
      if (received.query['watch'] === 'true' && refused++ === 0) return refuse(leaves, response)
      leaves.handle(received, response)
    }
    leaves.objects = [object('a', 1), object('b', 120), object('d', 130)]
    leaves.version = 140
    leaves.watches[0]?.end()
    await until('a second sync', () => it.changes.filter((change) => change === 'synced').length === 2)
    t.deepEqual(it.changes.slice(4), ['delete c', 'set b', 'set d', 'synced'])
    await it.end()
  })
}

test('500s, 429s and lines cut in half are survived', async (t) => {
  const leaves = new Leaves()
  const it = await reflecting(leaves)
  await until('a watch', () => leaves.watches.length === 1)
  const answers = [
    (response: ServerResponse) => status(response, 500, 'InternalError'),
    (response: ServerResponse) => status(response, 429, 'TooManyRequests'),
    (response: ServerResponse) => response.writeHead(200).end('{"type":"ADDED","object":{"metadata":{"name":"ha'),
    (response: ServerResponse) => response.writeHead(200).end('<html>gateway</html>\n'),
    (response: ServerResponse) => response.destroy(),
  ]
  it.server.handle = (received, response) => {
    const answer = received.query['watch'] === 'true' ? answers.shift() : undefined
    if (answer === undefined) leaves.handle(received, response)
    else answer(response)
  }
  it.server.reset()
  await until('a good watch again', () => leaves.watches.length === 2)
  leaves.send('ADDED', object('whole', 101))
  await until('the object', () => it.changes.includes('set whole'))
  t.deepEqual([...it.reflector.objects.keys()], ['whole'])
  await it.end()
})

test('an event that comes in single bytes is one event', async (t) => {
  const leaves = new Leaves()
  const it = await reflecting(leaves)
  await until('a watch', () => leaves.watches.length === 1)
  const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: object('ä', 101) })}\n`)
  for (const byte of bytes) leaves.watches[0]?.write(Buffer.of(byte))
  await until('the object', () => it.changes.includes('set ä'))
  t.pass()
  await it.end()
})

test('a server that freezes is noticed when the watch should have ended', async (t) => {
  const leaves = new Leaves()
  // Its time begins before this process comes to look whether it is there.
  const startMs = performance.now()
  const it = await reflecting(leaves, { timing: { watchSeconds: 1, graceMs: 100 } })
  await until('a watch', () => leaves.watches.length === 1)
  await until('another watch', () => it.watches() >= 2)
  t.true(performance.now() - startMs >= 1000)
  t.is(it.lists(), 2, 'the second asks only whether the server still knows what we know')
  t.is(it.server.received.filter(({ query }) => query['limit'] === '1').length, 1)
  await it.end()
})

test('the usual timing notices a frozen server in less than 75 seconds', async (t) => {
  const leaves = new Leaves()
  const it = await reflecting(leaves)
  await until('a watch', () => it.watches() === 1)
  const seconds = Number(it.server.received.at(-1)?.query['timeoutSeconds'])
  t.true(seconds >= 40 && seconds + 10 < 75, String(seconds))
  await it.end()
})

test('a watch that ends at once, over and over, is not opened without a pause', async (t) => {
  const leaves = new Leaves()
  const server = await loopbackServer((received, response) =>
    received.query['watch'] === 'true' ? void response.writeHead(200).end() : leaves.list(received, response),
  )
  const it = await reflecting(leaves, {
    server,
    timing: { firstRetryMs: 50, longestRetryMs: 10_000, healthyMs: 60_000 },
  })
  const startMs = performance.now()
  await until('four watches', () => it.watches() === 4)
  t.true(performance.now() - startMs >= (50 + 100 + 200) * 0.45)
  await it.end()
})

test('a server that is gone for a while changes nothing of what is known', async (t) => {
  const leaves = new Leaves()
  leaves.objects = [object('a', 1)]
  const it = await reflecting(leaves)
  await until('a watch', () => leaves.watches.length === 1)
  let refused = 0
  it.server.handle = (_, response) => {
    refused += 1
    response.destroy()
  }
  it.server.reset()
  await until('some attempts', () => refused > 8)
  t.deepEqual([...it.reflector.objects.keys()], ['a'])
  t.true(it.reflector.synced)
  t.false(it.reflector.connected)
  it.server.handle = leaves.handle
  await until('a watch again', () => it.reflector.connected)
  t.deepEqual(it.changes, ['set a', 'synced'])
  await it.end()
})

test('a kind that is not installed yet is asked for again and again, and complained of once', async (t) => {
  const leaves = new Leaves()
  let asked = 0
  const server = await loopbackServer((_, response) => {
    asked += 1
    response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n')
  })
  const it = await reflecting(leaves, { server })
  await until('some attempts', () => asked > 5)
  t.false(it.reflector.synced)
  t.is(it.log.lines.length, 1)
  t.regex(it.log.lines[0] ?? '', /cannot list leaves\.test\.example: .*CustomResourceDefinition installed\?/)
  it.server.handle = leaves.handle
  await it.reflector.whenSynced(AbortSignal.timeout(60_000))
  await until('a word that it works', () => it.log.lines.length === 2)
  t.regex(it.log.lines[1] ?? '', /works again/)
  await it.end()
})

test('what is not permitted is complained of once, with verb and resource', async (t) => {
  const leaves = new Leaves()
  const it = await reflecting(leaves, {
    server: await loopbackServer((received, response) =>
      received.query['watch'] === 'true' ? status(response, 403, 'Forbidden') : leaves.list(received, response),
    ),
  })
  await until('some attempts', () => it.watches() > 5)
  t.is(it.log.lines.length, 1)
  t.regex(
    it.log.lines[0] ?? '',
    /cannot watch leaves\.test\.example: .*verb \\"watch\\" on resource \\"leaves\\" of API group \\"test\.example\\"/,
  )
  await it.end()
})

test('a server restored from a backup is noticed after the reconnect; everything it has is told anew', async (t) => {
  const leaves = new Leaves()
  leaves.objects = [object('a', 90), object('b', 95)]
  const it = await reflecting(leaves)
  await until('a watch', () => leaves.watches.length === 1)
  leaves.version = 50
  // Another history: the same version of `a` may have another content.
  leaves.objects = [object('a', 90, { spec: 'other' })]
  it.server.reset()
  await until('a second sync', () => it.changes.filter((change) => change === 'synced').length === 2)
  t.deepEqual(it.changes.slice(3), ['delete b', 'set a', 'synced'])
  t.true(it.log.lines.some((line) => line.includes('went back in time')))
  await it.end()
})

test('an event with a version from the past leads to a new list', async (t) => {
  const leaves = new Leaves()
  leaves.objects = [object('a', 90)]
  const it = await reflecting(leaves)
  await until('a watch', () => leaves.watches.length === 1)
  leaves.version = 60
  leaves.objects = [object('b', 55)]
  leaves.send('ADDED', object('b', 55))
  await until('a second sync', () => it.changes.filter((change) => change === 'synced').length === 2)
  t.deepEqual([...it.reflector.objects.keys()], ['b'])
  await it.end()
})

test('a transform decides what is kept, and may leave an object out', async (t) => {
  const leaves = new Leaves()
  leaves.objects = [object('a', 1, { big: 'x' }), object('hidden', 2)]
  const it = await reflecting(leaves, {
    transform: ({ metadata }) => (metadata.name === 'hidden' ? undefined : { metadata }),
  })
  await until('a watch', () => leaves.watches.length === 1)
  t.deepEqual([...it.reflector.objects.values()], [object('a', 1)])
  leaves.send('DELETED', object('hidden', 101))
  leaves.send('MODIFIED', object('a', 102))
  await until('the change', () => it.changes.filter((change) => change === 'set a').length === 2)
  t.false(it.changes.includes('delete hidden'))
  await it.end()
})
