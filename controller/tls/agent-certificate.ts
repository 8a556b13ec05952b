/** `nodeleaf-controller issue-agent-certificate`: what the agent of a machine outside Kubernetes proves its node with. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeDurably } from '../../files/durable.ts'
import { createAuthority, issueClient, validityOf } from './authority.ts'
import { FileStore } from './file-store.ts'
import { machineLifetimes, planRotation } from './rotation.ts'
import { TlsError } from './tls-error.ts'

export interface AgentCertificateRequest {
  readonly node: string
  /** Of the controller that the agent will dial. */
  readonly stateDirectory: string
  /** Made when it does not exist. */
  readonly outDirectory: string
  /** @default a year. Never longer than the CA lives. */
  readonly lifeMs?: number
  readonly nowMs: number
}

export interface AgentCertificate {
  /** For the agent's --tls-cert, --tls-key and --controller-ca. */
  readonly cert: string
  readonly key: string
  readonly ca: string
  readonly expires: Date
}

/**
 * Writes `tls.crt`, `tls.key` and `ca.crt`; a second call renews them. Works before the controller has ever run.
 * @throws TlsError
 */
export async function issueAgentCertificate(request: AgentCertificateRequest): Promise<AgentCertificate> {
  const { node, stateDirectory, outDirectory, nowMs, lifeMs = machineLifetimes.clientMs } = request
  const { authorities, signer } = await authoritiesIn(stateDirectory, nowMs)
  const { cert, key } = await issueClient(signer, node, nowMs, lifeMs)
  const files = {
    cert: join(outDirectory, 'tls.crt'),
    key: join(outDirectory, 'tls.key'),
    ca: join(outDirectory, 'ca.crt'),
  }
  mkdirSync(outDirectory, { recursive: true, mode: 0o700 })
  writeDurably(files.ca, authorities.map((each) => each.cert).join(''))
  writeDurably(files.key, key)
  writeDurably(files.cert, cert)
  return { ...files, expires: new Date(validityOf(cert).notAfterMs) }
}

async function authoritiesIn(stateDirectory: string, nowMs: number) {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 })
  const store = new FileStore(stateDirectory)
  const stored = await store.read()
  const known = planRotation(stored?.authorities ?? [], nowMs)
  if (known.signer) return { authorities: known.authorities, signer: known.signer }
  const made = await createAuthority(nowMs, machineLifetimes.authorityMs)
  const authorities = [...known.authorities, made]
  if (await store.write(authorities, stored?.version)) return { authorities, signer: made }
  throw new TlsError('StoreBusy', `the CA in ${stateDirectory} was made by another program just now; run this again`)
}
