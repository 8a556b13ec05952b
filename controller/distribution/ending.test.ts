import test from 'ava'
import { X509Certificate } from 'node:crypto'
import { connect as dialTCP, type Socket } from 'node:net'
import { connect as dialTLS, type TLSSocket } from 'node:tls'
import { status } from '@grpc/grpc-js'
import { createAuthority } from '../tls/authority.ts'
import { DistributionError } from './distribution-error.ts'
import type { Leadership } from './ports.ts'
import { FakeVersion, LIFE_MS, piece, serving, stage, until } from './stage.ts'

const version = (node: string, revision = 'r1') => new FakeVersion(node, revision, [piece('router', revision)])

test('a second stream of a node takes over from the first', async (t) => {
  const { dial, events, publish, metric } = await stage(t)
  const first = dial('n1')
  await until(() => events.includes('connected n1'), 'the first')
  const second = dial('n1')
  t.is((await first.ended).code, status.ABORTED)
  publish(version('n1'))
  await until(() => events.includes('acknowledged n1 r1'), 'acknowledged')
  t.deepEqual([first.updates.length, second.updates.length], [0, 1])
  t.is(await metric('nodeleaf_agents_connected'), 1)
  t.deepEqual(events, ['connected n1', 'connected n1', 'acknowledged n1 r1'])
})

test('when leadership is lost all streams end and name the new leader', async (t) => {
  let leadership: Leadership = { leads: true }
  const { dial, events, distribution, metric } = await stage(t, { leadership: () => leadership })
  const agents = ['n1', 'n2'].map((node) => dial(node))
  await until(() => events.length === 2, 'connected')
  distribution.leadershipChanged()
  t.is(distribution.connected.size, 2)
  leadership = { leads: false, leader: '192.0.2.7:7443' }
  distribution.leadershipChanged()
  for (const agent of agents) {
    const { code, leader } = await agent.ended
    t.deepEqual([code, leader], [status.UNAVAILABLE, '192.0.2.7:7443'])
  }
  t.deepEqual(events.slice(2), ['disconnected n1', 'disconnected n2'])
  t.is(await metric('nodeleaf_agent_streams_ended_total', { reason: 'NotLeading' }), 2)
})

test('a stream ends when its proof of identity does', async (t) => {
  const expiresAtMs = Date.now() + 300
  const identify = async () => ({ type: 'node', node: 'n1', expiresAtMs }) as const
  const { dial, events } = await stage(t, { authenticator: { identify } })
  t.is((await dial('n1').ended).code, status.UNAUTHENTICATED)
  t.true(Date.now() >= expiresAtMs)
  await until(() => events.includes('disconnected n1'), 'disconnected')
})

test('a proof of identity for a year does not end the stream at once', async (t) => {
  const expiresAtMs = Date.now() + 365 * 86_400_000
  const identify = async () => ({ type: 'node', node: 'n1', expiresAtMs }) as const
  const { dial, events, publish } = await stage(t, { authenticator: { identify } })
  dial('n1')
  publish(version('n1'))
  await until(() => events.includes('acknowledged n1 r1'), 'acknowledged')
  t.deepEqual(events, ['connected n1', 'acknowledged n1 r1'])
})

test('an agent that does not acknowledge is ended', async (t) => {
  const { dial, plans } = await stage(t, { bounds: { acknowledgementMs: 100 } })
  plans.set('n1', version('n1'))
  t.is((await dial('n1', { answer: () => undefined }).ended).code, status.DEADLINE_EXCEEDED)
})

test('an agent that does not read is cut off, and costs the others nothing', async (t) => {
  const { dial, plans, events, distribution, metric, publish } = await stage(t, {
    bounds: { stallMs: 300, hangUpMs: 200, largeUpdates: 1 },
  })
  const large = Array.from({ length: 400 }, (_, at) => piece(`segment/${at}`, 'x'.repeat(100_000)))
  plans.set('n1', new FakeVersion('n1', 'r1', large))
  const frozen = dial('n1')
  frozen.freeze()
  dial('n2', { revision: 'r1' })
  await until(() => events.includes('connected n2'), 'n2')
  publish(version('n2', 'r2'))
  await until(() => events.includes('acknowledged n2 r2'), 'a small update passes by')
  await until(() => events.includes('disconnected n1'), 'cut off')
  t.deepEqual([...distribution.connected], ['n2'])
  t.is(await metric('nodeleaf_agent_streams_ended_total', { reason: 'Slow' }), 1)
  t.true((await metric('nodeleaf_plan_bytes_sent_total')) < 20_000_000)
  frozen.thaw()
  t.not((await frozen.ended).code, status.OK)
})

test('a stop ends all streams at once, and those that do not read within its bound', async (t) => {
  const { dial, plans, events, distribution } = await stage(t, { bounds: { stopMs: 500, hangUpMs: 60_000 } })
  plans.set('n2', new FakeVersion('n2', 'r1', [piece('router', 'x'.repeat(40_000_000))]))
  const agent = dial('n1')
  const frozen = dial('n2')
  frozen.freeze()
  await until(() => events.length === 2, 'connected')
  const started = performance.now()
  await distribution.stop()
  t.true(performance.now() - started < 30_000)
  t.is((await agent.ended).code, status.UNAVAILABLE)
  t.deepEqual(events.slice(2).sort(), ['disconnected n1', 'disconnected n2'])
  await distribution.stop()
})

test('new certificates are for new connections; streams that stand are left alone', async (t) => {
  const made = await stage(t)
  const { dial, events, publish, certificates, distribution, authority } = made
  const old = dial('n1')
  await until(() => events.includes('connected n1'), 'n1')
  const next = await createAuthority(Date.now(), LIFE_MS)
  certificates.replace(`${authority.cert}${next.cert}`, await serving(next))
  dial('n2', { ca: next.cert })
  await until(() => events.includes('connected n2'), 'n2 trusts the new CA only')
  publish(version('n1'))
  await until(() => events.includes('acknowledged n1 r1'), 'the old stream stands')
  t.is(old.updates.length, 1)
  const issuer = await new Promise<string>((resolve, reject) => {
    const socket: TLSSocket = dialTLS(
      {
        host: '127.0.0.1',
        port: distribution.port,
        ca: next.cert,
        servername: 'nodeleaf-controller',
        ALPNProtocols: ['h2'],
      },
      () => {
        resolve(new X509Certificate(socket.getPeerCertificate().raw).issuer)
        socket.destroy()
      },
    ).once('error', reject)
  })
  t.is(issuer, new X509Certificate(next.cert).subject)
})

test('a certificate that is of no use is not taken into use', async (t) => {
  const { dial, events, certificates, log } = await stage(t)
  certificates.replace(certificates.trusted, { cert: 'nonsense', key: 'nonsense' })
  dial('n1')
  await until(() => events.includes('connected n1'), 'served with the old one')
  t.true(log.some((line) => line.includes('level=error')))
  t.false(log.some((line) => line.includes('PRIVATE KEY')))
})

test('what speaks no gRPC, or breaks off at any moment, harms nobody', async (t) => {
  const { dial, events, distribution, authority } = await stage(t)
  const open = { host: '127.0.0.1', port: distribution.port }
  const secure = { ...open, ca: authority.cert, servername: 'nodeleaf-controller', ALPNProtocols: ['h2'] }
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  const strangers: readonly Promise<void>[] = [
    said(dialTCP(open), Buffer.from('GET / HTTP/1.1\r\n\r\n')),
    said(dialTCP(open), Buffer.alloc(0)),
    said(dialTLS(secure), Buffer.from('GET / HTTP/1.1\r\n\r\n')),
    said(dialTLS(secure), Buffer.concat([preface, Buffer.alloc(100, 0xff)])),
    said(dialTLS({ ...secure, ALPNProtocols: ['http/1.1'] }), preface),
  ]
  await Promise.all(strangers)
  for (let time = 0; time < 20; time++) dial('n0')[Symbol.dispose]()
  dial('n1')
  await until(() => events.includes('connected n1'), 'n1')
  t.true(distribution.connected.has('n1'))
})

/** Says it, and is gone a little later. */
async function said(socket: Socket, bytes: Buffer): Promise<void> {
  socket.on('error', () => {})
  socket.write(bytes)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  setTimeout(() => socket.destroy(), 100)
  await closed
}

test('without IPv6 or with it, :: is every address', async (t) => {
  const { dial, events } = await stage(t, { listen: { host: '::', port: 0 } })
  dial('n1')
  await until(() => events.includes('connected n1'), 'n1')
  t.pass()
})

test('a port that is taken is said in one sentence', async (t) => {
  const { distribution } = await stage(t)
  const listen = { host: '127.0.0.1', port: distribution.port }
  const error = await t.throwsAsync(stage(t, { listen }), { instanceOf: DistributionError, code: 'ListenFailed' })
  t.is(error?.message, `cannot listen for agents on 127.0.0.1 port ${distribution.port}; see --listen`)
})

test('while nobody is known to lead an agent is kept, and served when somebody does', async (t) => {
  let leadership: Leadership = { leads: false }
  let asked = 0
  const { dial, events } = await stage(t, {
    leadership: () => {
      asked++
      return leadership
    },
  })
  let sentAway = false
  void dial('n1').ended.then(() => (sentAway = true))
  await until(() => asked >= 3, 'it looks again and again')
  t.deepEqual([events, sentAway], [[], false])
  leadership = { leads: true }
  await until(() => events.includes('connected n1'), 'it is served, without another dial')
})

test('an agent that is kept is sent to whoever leads elsewhere, and away when nobody does in time', async (t) => {
  let leadership: Leadership = { leads: false }
  const { dial } = await stage(t, { leadership: () => leadership, bounds: { electionMs: 700 } })
  const { code, leader } = await dial('n1').ended
  t.deepEqual([code, leader], [status.UNAVAILABLE, undefined])
  const { ended } = dial('n2')
  leadership = { leads: false, leader: '192.0.2.7:7443' }
  t.is((await ended).leader, '192.0.2.7:7443')
})
