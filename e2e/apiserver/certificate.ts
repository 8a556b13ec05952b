/** A CA and a certificate for the server, as every cluster has them. */
// @peculiar/x509 puts itself together by it.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

export interface ServerCertificate {
  /** PEM. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const YEAR = 365 * 24 * 3600_000

/** For the names and addresses given, and those by which Pods reach an API server. */
export async function serverCertificate(names: readonly string[]): Promise<ServerCertificate> {
  const crypto = webcrypto
  x509.cryptoProvider.set(crypto)
  const authority = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const server = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const validity = { notBefore: new Date(Date.now() - YEAR), notAfter: new Date(Date.now() + 10 * YEAR) }
  const ca = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=nodeleaf e2e',
      ...validity,
      keys: authority,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    },
    crypto,
  )
  const all = [...new Set([...names, '127.0.0.1', '::1', 'localhost', 'kubernetes.default.svc'])]
  const cert = await x509.X509CertificateGenerator.create(
    {
      subject: 'CN=kube-apiserver',
      issuer: ca.subject,
      ...validity,
      publicKey: server.publicKey,
      signingKey: authority.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.SubjectAlternativeNameExtension(
          all.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
        ),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      ],
    },
    crypto,
  )
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', server.privateKey)
  return { ca: ca.toString('pem'), cert: cert.toString('pem'), key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') }
}
