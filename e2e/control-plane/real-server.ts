/**
 * A real kube-apiserver with its etcd, found by envtest's convention: KUBEBUILDER_ASSETS, or /usr/local/kubebuilder/bin.
 * https://book.kubebuilder.io/reference/envtest
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { accessSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { serverCertificate } from '../apiserver/certificate.ts'
import { Client } from './client.ts'

export interface RealServer {
  readonly url: string
  readonly ca: string
  readonly adminToken: string
  close(): Promise<void>
}

/** The directory that holds both programs, if there is one. */
export function assets(): string | undefined {
  const directories = [process.env['KUBEBUILDER_ASSETS'], '/usr/local/kubebuilder/bin']
  return directories.find(
    (each) =>
      each !== undefined && each !== '' && ['etcd', 'kube-apiserver'].every((name) => runnable(join(each, name))),
  )
}

function runnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Bounded: ready within a minute, or an error with the end of what it said. */
export async function startRealServer(directory: string): Promise<RealServer> {
  const home = mkdtempSync(join(tmpdir(), 'nodeleaf-kube-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(home, name), text, { mode: 0o600 })
    return join(home, name)
  }
  const { ca, cert, key } = await serverCertificate([])
  const account = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const adminToken = randomBytes(16).toString('hex')
  const [client, peer, secure] = [await freePort(), await freePort(), await freePort()]
  const etcdUrl = `http://127.0.0.1:${client}`
  const children = [
    start(home, join(directory, 'etcd'), [
      `--data-dir=${join(home, 'etcd')}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      '--unsafe-no-fsync',
    ]),
    start(home, join(directory, 'kube-apiserver'), [
      `--etcd-servers=${etcdUrl}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${secure}`,
      `--cert-dir=${home}`,
      `--tls-cert-file=${file('server.crt', cert)}`,
      `--tls-private-key-file=${file('server.key', key)}`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${file('account.pub', account.publicKey.export({ type: 'spki', format: 'pem' }).toString())}`,
      `--service-account-signing-key-file=${file('account.key', account.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      '--authorization-mode=RBAC',
      // No controller makes the ServiceAccount `default` that this plugin waits for.
      '--disable-admission-plugins=ServiceAccount',
      `--token-auth-file=${file('tokens.csv', `${adminToken},kubernetes-admin,admin,"system:masters"\n`)}`,
      '--allow-privileged=true',
    ]),
  ]
  const close = async (): Promise<void> => {
    for (const child of children.toReversed()) await stop(child)
    rmSync(home, { recursive: true, force: true })
  }
  const url = `https://127.0.0.1:${secure}`
  try {
    await ready({ url, ca, token: adminToken }, children, home)
  } catch (error) {
    await close()
    throw error
  }
  return { url, ca, adminToken, close }
}

function start(home: string, program: string, args: readonly string[]): ChildProcess {
  const log = openSync(join(home, 'log'), 'a', 0o600)
  return spawn(program, args, { stdio: ['ignore', log, log], cwd: home })
}

async function ready(
  target: { url: string; ca: string; token: string },
  children: readonly ChildProcess[],
  home: string,
): Promise<void> {
  using client = new Client(target)
  const deadline = Date.now() + 60_000
  const why = (what: string): Error => new Error(`${what}:\n${readFileSync(join(home, 'log'), 'utf8').slice(-4000)}`)
  for (;;) {
    const gone = children.find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)
    if (gone) throw why(`${gone.spawnfile} has ended`)
    if (Date.now() > deadline) throw why('kube-apiserver is not ready after 60 s')
    const answer = await client.call('GET', '/readyz').catch(() => undefined)
    if (answer?.status === 200) return
    await sleep(200)
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const patience = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(patience)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await server[Symbol.asyncDispose]()
  return port
}
