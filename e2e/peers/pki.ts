/** Certificates for the two ends of a connection, in memory and as files. */
// @peculiar/x509 resolves its parts with tsyringe, which looks for this polyfill when it is loaded.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Pair {
  readonly certificate: string
  readonly key: string
}

export interface Pki {
  readonly ca: Pair
  readonly server: Pair
  readonly client: Pair
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string; readonly token: string }
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A CA, a server certificate for `names`, and a client's, also as files beside a token. `lifeMs` below 0: they have ended. */
export async function makePki(names: readonly string[], lifeMs = 3_600_000): Promise<Pki> {
  const notBefore = new Date(Date.now() - 3_600_000)
  const notAfter = new Date(Date.now() + lifeMs)
  const caKeys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const validity = { notBefore, notAfter, signingAlgorithm: ALGORITHM }
  const ca = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    notAfter: new Date(Date.now() + 3_600_000),
    name: 'CN=test CA',
    keys: caKeys,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  })
  const issued = async (subject: string, sans: readonly string[], usage: ExtendedKeyUsage): Promise<Pair> => {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
    const certificate = await X509CertificateGenerator.create({
      ...validity,
      subject,
      issuer: ca.subject,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: [
        new ExtendedKeyUsageExtension([usage]),
        new SubjectAlternativeNameExtension(
          sans.map((value) => ({ type: /^[0-9.]+$/.test(value) ? 'ip' : 'dns', value })),
        ),
      ],
    })
    return { certificate: certificate.toString('pem'), key: await pem(keys.privateKey) }
  }
  const server = await issued('CN=server', names, ExtendedKeyUsage.serverAuth)
  const client = await issued('CN=n1', ['n1', ...names], ExtendedKeyUsage.clientAuth)
  const directory = mkdtempSync(join(tmpdir(), 'nodeleaf-pki-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  return {
    ca: { certificate: ca.toString('pem'), key: await pem(caKeys.privateKey) },
    server,
    client,
    files: {
      ca: file('ca.pem', ca.toString('pem')),
      cert: file('client.pem', client.certificate),
      key: file('client.key', client.key),
      token: file('token', 'token-1\n'),
    },
  }
}

async function pem(key: Parameters<typeof crypto.subtle.exportKey>[1]): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${der.replaceAll(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
}
