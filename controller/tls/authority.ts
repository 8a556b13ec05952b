/**
 * A certificate authority of the controller's own, and what it signs: ECDSA on P-256 with SHA-256, which every TLS stack
 * knows. Nothing that it signs outlives it, so that it need not be trusted for longer than it lives.
 */
// @peculiar/x509 resolves its parts with tsyringe, which looks for this polyfill when it is loaded.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata'
import { randomBytes, X509Certificate, type webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import type { ServingCertificate } from './certificates.ts'
import { TlsError } from './tls-error.ts'

export interface Authority {
  /** PEM. */
  readonly cert: string
  /** PEM (PKCS #8). Never logged. */
  readonly key: string
}

export interface Validity {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Another machine's clock may be behind: what is issued now is valid since an hour ago. */
const CLOCK_SKEW_MS = 3_600_000

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A new authority, valid for `lifeMs` from now. Each has a name of its own, so that a chain leads to one only. */
export async function createAuthority(nowMs: number, lifeMs: number): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const serialNumber = serial()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name: `CN=nodeleaf ${serialNumber.slice(0, 8)}`,
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(nowMs + lifeMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: pem(certificate), key: await keyPem(keys.privateKey) }
}

/** For a server that is reached by any of these DNS names and addresses; valid from now for `lifeMs`, at most as long as its authority. */
export async function issueServing(
  authority: Authority,
  names: { readonly dns: readonly string[]; readonly addresses: readonly string[] },
  nowMs: number,
  lifeMs: number,
): Promise<ServingCertificate> {
  const subjectAlternativeNames = [
    ...names.dns.map((value) => ({ type: 'dns' as const, value })),
    ...names.addresses.filter((each) => isIP(each) > 0).map((value) => ({ type: 'ip' as const, value })),
  ]
  return issue(authority, {
    subject: 'CN=nodeleaf-controller',
    subjectAlternativeNames,
    usage: x509.ExtendedKeyUsage.serverAuth,
    nowMs,
    lifeMs,
  })
}

/**
 * For the agent of a node outside Kubernetes: the node is in the SAN URI `nodeleaf://node/NAME`, and in the common name
 * where it fits (64 characters, RFC 5280 appendix A.1). @throws TlsError when the name is no name for a node.
 */
export async function issueClient(
  authority: Authority,
  node: string,
  nowMs: number,
  lifeMs: number,
): Promise<ServingCertificate> {
  if (node.length > 253 || !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(node))
    throw new TlsError(
      'NodeNameInvalid',
      `${JSON.stringify(node.slice(0, 80))} is not a name for a node; use lower case letters, digits, dashes and dots (RFC 1123), as in RouterNode/NAME`,
    )
  return issue(authority, {
    subject: node.length <= 64 ? `O=nodeleaf, CN=${node}` : 'O=nodeleaf',
    subjectAlternativeNames: [{ type: 'url', value: `nodeleaf://node/${node}` }],
    usage: x509.ExtendedKeyUsage.clientAuth,
    nowMs,
    lifeMs,
  })
}

/** From when to when a certificate (PEM, the first one of a chain) is valid. @throws when it is none. */
export function validityOf(cert: string): Validity {
  const { validFromDate, validToDate } = new X509Certificate(cert)
  return { notBeforeMs: validFromDate.getTime(), notAfterMs: validToDate.getTime() }
}

/** Whether the authority's key signed the certificate. */
export function signed(authority: { readonly cert: string }, cert: string): boolean {
  const issuer = new X509Certificate(authority.cert)
  const issued = new X509Certificate(cert)
  return issued.checkIssued(issuer) && issued.verify(issuer.publicKey)
}

interface Request {
  readonly subject: string
  readonly subjectAlternativeNames: x509.JsonGeneralNames
  readonly usage: x509.ExtendedKeyUsage
  readonly nowMs: number
  readonly lifeMs: number
}

async function issue(authority: Authority, request: Request): Promise<ServingCertificate> {
  const issuer = new x509.X509Certificate(authority.cert)
  const pkcs8 = x509.PemConverter.decodeFirst(authority.key)
  const signingKey = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign'])
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: request.subject,
    issuer: issuer.subjectName,
    notBefore: new Date(Math.max(request.nowMs - CLOCK_SKEW_MS, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(request.nowMs + request.lifeMs, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([request.usage]),
      new x509.SubjectAlternativeNameExtension(request.subjectAlternativeNames),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return { cert: pem(certificate), key: await keyPem(keys.privateKey) }
}

/** Positive, 127 bits of chance (RFC 5280 section 4.1.2.2; the first byte is not zero, so its length is fixed too). */
function serial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

const pem = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}
