/**
 * Who calls, by a certificate that the CA signed (mutual TLS), for nodes outside Kubernetes.
 *
 * The rule: one SAN URI `nodeleaf://node/NAME` names the node. A certificate without any SAN URI of that scheme may have
 * the common name `nodeleaf-node:NAME` instead, for tools that only know subjects. Any other common name says nothing: a
 * CA that also signs for others writes all kinds of names there.
 */
// @peculiar/x509 resolves its parts with tsyringe, which looks for this polyfill when it is loaded.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata'
import { SubjectAlternativeNameExtension, X509Certificate } from '@peculiar/x509'
import { messageOf } from '../../log/log.ts'
import type { Authenticator, Credentials, Identity } from './ports.ts'

/** RFC 1123, as Kubernetes names nodes. */
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const MAX_NAME_LENGTH = 253
const URI = 'nodeleaf://node/'
const COMMON_NAME = 'nodeleaf-node:'

/** `now`: milliseconds since the epoch. */
export function clientCertificate(now: () => number = Date.now): Authenticator {
  return {
    async identify({ certificate }: Credentials): Promise<Identity> {
      if (!certificate) return refused('NoCertificate', 'no certificate of the CA came with the call')
      return read(certificate, now())
    },
  }
}

function read(der: Uint8Array, now: number): Identity {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(Uint8Array.from(der))
  } catch (error) {
    return refused('CertificateUnreadable', `the certificate cannot be read: ${messageOf(error)}`)
  }
  const [fromMs, expiresAtMs] = [certificate.notBefore.getTime(), certificate.notAfter.getTime()]
  if (now < fromMs) return refused('CertificateNotYetValid', `the certificate is valid from ${iso(fromMs)}`)
  if (now >= expiresAtMs) return refused('CertificateExpired', `the certificate has expired at ${iso(expiresAtMs)}`)
  const node = nodeOf(certificate)
  if (node === undefined || node.length > MAX_NAME_LENGTH || !NAME.test(node))
    return refused('CertificateNamesNoNode', 'the certificate must have one SAN URI nodeleaf://node/NAME')
  return { type: 'node', node, expiresAtMs }
}

function nodeOf(certificate: X509Certificate): string | undefined {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  const uris = names.flatMap(({ type, value }) => (type === 'url' && /^nodeleaf:/i.test(value) ? [value] : []))
  const [name, prefix] = uris.length > 0 ? [uris, URI] : [certificate.subjectName.getField('CN'), COMMON_NAME]
  return name.length === 1 && name[0]?.startsWith(prefix) ? name[0].slice(prefix.length) : undefined
}

const iso = (ms: number): string => new Date(ms).toISOString()

const refused = (reason: string, message: string): Identity => ({ type: 'refused', reason, message })
