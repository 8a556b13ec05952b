import test from 'ava'
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { createAuthority, issueClient } from '../tls/authority.ts'
import { clientCertificate } from './client-certificate.ts'
import { LIFE_MS } from './stage.ts'

const signal = new AbortController().signal
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** Self-signed: who signed it is not asked here but by TLS. */
async function certificate(name: string, uris: readonly string[]): Promise<Uint8Array> {
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    notBefore: new Date(Date.now() - LIFE_MS),
    notAfter: new Date(Date.now() + LIFE_MS),
    signingAlgorithm: algorithm,
    keys: await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']),
    extensions: uris.length
      ? [new x509.SubjectAlternativeNameExtension(uris.map((value) => ({ type: 'url', value })))]
      : [],
  })
  return new Uint8Array(made.rawData)
}

const who = (der: Uint8Array | undefined, now = Date.now()) =>
  clientCertificate(() => now).identify({ peer: '192.0.2.1:1', ...(der ? { certificate: der } : {}) }, signal)

const names: readonly (readonly [string, readonly string[], string | undefined])[] = [
  ['CN=whatever', ['nodeleaf://node/n1'], 'n1'],
  ['CN=nodeleaf-node:n2', ['nodeleaf://node/n1.example'], 'n1.example'],
  ['CN=nodeleaf-node:n1', [], 'n1'],
  ['CN=nodeleaf-node:n1', ['spiffe://cluster/agent'], 'n1'],
  ['CN=n1', [], undefined],
  ['O=nodeleaf-node:n1', [], undefined],
  ['CN=nodeleaf-node:n1, CN=nodeleaf-node:n2', [], undefined],
  ['CN=nodeleaf-node:', [], undefined],
  ['CN=nodeleaf-node:N1', [], undefined],
  ['CN=x', ['nodeleaf://node/n1', 'nodeleaf://node/n2'], undefined],
  ['CN=nodeleaf-node:n1', ['nodeleaf://controller/a'], undefined],
  ['CN=x', ['nodeleaf://node/n1/../n2'], undefined],
  ['CN=x', ['nodeleaf://node/'], undefined],
  ['CN=x', ['nodeleaf://node/n1, URI:nodeleaf://node/n2'], undefined],
]

for (const [name, uris, node] of names) {
  test(`${name} with ${uris.join(' and ') || 'no URI'} is ${node ? `node ${node}` : 'nobody'}`, async (t) => {
    const identity = await who(await certificate(name, uris))
    if (node === undefined) t.like(identity, { type: 'refused', reason: 'CertificateNamesNoNode' })
    else t.like(identity, { type: 'node', node })
  })
}

test('a certificate as the controller issues it names its node until it ends', async (t) => {
  const { cert } = await issueClient(await createAuthority(Date.now(), LIFE_MS), 'n1', Date.now(), LIFE_MS / 2)
  const parsed = new x509.X509Certificate(cert)
  const expiresAtMs = parsed.notAfter.getTime()
  const der = new Uint8Array(parsed.rawData)
  t.deepEqual(await who(der), { type: 'node', node: 'n1', expiresAtMs })
  t.like(await who(der, expiresAtMs), { reason: 'CertificateExpired' })
  t.like(await who(der, Date.now() - 2 * LIFE_MS), { reason: 'CertificateNotYetValid' })
})

test('no certificate, and one that is none, are refused', async (t) => {
  t.like(await who(undefined), { type: 'refused', reason: 'NoCertificate' })
  t.like(await who(Buffer.from('nonsense')), { type: 'refused', reason: 'CertificateUnreadable' })
})
