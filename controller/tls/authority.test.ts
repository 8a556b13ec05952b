import { X509Certificate } from 'node:crypto'
import { createServer, connect, type TLSSocket } from 'node:tls'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { createAuthority, issueClient, issueServing, signed, validityOf } from './authority.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const now = Math.floor(Date.now() / 1000) * 1000

const serving = { dns: ['nodeleaf-controller.nodeleaf-system.svc', 'localhost'], addresses: ['127.0.0.1', 'fd00::1'] }

test('an authority is one, and signs nothing but leaves', async (t) => {
  const authority = await createAuthority(now, 365 * DAY)
  const certificate = new X509Certificate(authority.cert)
  t.true(certificate.ca)
  t.true(certificate.checkIssued(certificate))
  t.deepEqual(validityOf(authority.cert), { notBeforeMs: now - HOUR, notAfterMs: now + 365 * DAY })
  const leaf = await issueServing(authority, serving, now, 30 * DAY)
  t.false(new X509Certificate(leaf.cert).ca)
  t.true(signed(authority, leaf.cert))
  t.false(signed(await createAuthority(now, DAY), leaf.cert))
})

test('no two authorities have one name', async (t) => {
  const [a, b] = await Promise.all([createAuthority(now, DAY), createAuthority(now, DAY)])
  t.not(new X509Certificate(a.cert).subject, new X509Certificate(b.cert).subject)
})

test('what it signs does not outlive it, and is no older than it', async (t) => {
  const authority = await createAuthority(now, 10 * DAY)
  const leaf = await issueServing(authority, serving, now + 5 * DAY, 30 * DAY)
  t.is(validityOf(leaf.cert).notAfterMs, now + 10 * DAY)
  const client = await issueClient(authority, 'node1', now - 5 * HOUR, 30 * DAY)
  t.is(validityOf(client.cert).notBeforeMs, now - HOUR)
})

test('a serving certificate has its names and addresses, and is for servers only', async (t) => {
  const authority = await createAuthority(now, DAY)
  const certificate = new X509Certificate((await issueServing(authority, serving, now, DAY)).cert)
  for (const name of serving.dns) t.is(certificate.checkHost(name), name)
  for (const address of serving.addresses) t.is(certificate.checkIP(address), address)
  t.is(certificate.checkHost('evil.example'), undefined)
  t.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'])
})

test('a client certificate names its node, and is for clients only', async (t) => {
  const authority = await createAuthority(now, DAY)
  const certificate = new X509Certificate((await issueClient(authority, 'node1.example', now, DAY)).cert)
  t.is(certificate.subjectAltName, 'URI:nodeleaf://node/node1.example')
  t.regex(certificate.subject, /^CN=node1\.example$/m)
  t.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'])
})

test('a node with a long name is in the SAN alone', async (t) => {
  const authority = await createAuthority(now, DAY)
  const name = `${'a'.repeat(63)}.example`
  const certificate = new X509Certificate((await issueClient(authority, name, now, DAY)).cert)
  t.is(certificate.subjectAltName, `URI:nodeleaf://node/${name}`)
  t.is(certificate.subject, 'O=nodeleaf')
})

for (const name of ['', 'Node1', 'a/b', 'a,CN=b', '-a', 'a..b', 'a'.repeat(254), 'a\nb'])
  test(`${JSON.stringify(name.slice(0, 20))} is refused as a node`, async (t) => {
    const authority = await createAuthority(now, DAY)
    await t.throwsAsync(issueClient(authority, name, now, DAY), { code: 'NodeNameInvalid', message: /RFC 1123/ })
  })

test('both ends of a mutual TLS connection believe each other, and no one else', async (t) => {
  const authority = await createAuthority(now, DAY)
  const stranger = await createAuthority(now, DAY)
  const [server, client, forged] = await Promise.all([
    issueServing(authority, serving, now, DAY),
    issueClient(authority, 'node1', now, DAY),
    issueClient(stranger, 'node1', now, DAY),
  ])
  const listener = createServer({ ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true })
  // A refused client is an event of the server's too.
  listener.on('tlsClientError', () => {})
  listener.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {})
    socket.end(String(socket.getPeerX509Certificate()?.subjectAltName))
  })
  t.teardown(() => listener.close())
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const dial = async (pair: { cert: string; key: string }, ca: string): Promise<string> => {
    const socket = connect({ host: '127.0.0.1', port, ...pair, ca, servername: 'localhost' })
    socket.setEncoding('utf8')
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    return text
  }
  t.is(await dial(client, authority.cert), 'URI:nodeleaf://node/node1')
  const refused = async (pair: { cert: string; key: string }, ca: string): Promise<boolean> =>
    t.is(await dial(pair, ca).catch(() => ''), '')
  await refused(forged, authority.cert)
  await refused(client, stranger.cert)
  // A serving certificate is no client's.
  await refused(server, authority.cert)
})
