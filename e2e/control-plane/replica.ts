/** A replica of the controller: in this process, or a process of its own where it is to be killed or frozen. */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { optionsOf, startInProcess } from '../../controller/in-process.ts'
import { eventually } from './cluster.ts'
import { namespace } from './objects.ts'

export interface Replica {
  readonly name: string
  /** Where agents connect, on loopback. */
  readonly port: number
  readonly webhook: number
  /** Lines of its log. */
  readonly log: readonly string[]
  readonly metrics: () => Promise<string>
  /** Cleanly. */
  readonly stop: () => Promise<void>
}

export interface ReplicaProcess extends Replica {
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
}

interface At {
  readonly name: string
  readonly agents: number
  readonly webhook: number
  readonly metrics: number
}

const bin = join(import.meta.dirname, '../../bin/nodeleaf-controller')

/** Agents are told to come to loopback, whoever leads. */
const env = { POD_IP: '127.0.0.1' }

/** In this process. */
export async function startReplica(name: string, kubeconfig: string, flags: readonly string[]): Promise<Replica> {
  const at = await places(name)
  const log: string[] = []
  const { stop } = await startInProcess(optionsOf(flagsOf(at, kubeconfig, flags), { env, hostName: name }), log)
  return replica(at, log, stop)
}

/** As `bin/nodeleaf-controller`; killed when it does not stop in 20 s. */
export async function startReplicaProcess(
  name: string,
  kubeconfig: string,
  flags: readonly string[],
): Promise<ReplicaProcess> {
  const at = await places(name)
  const lines: string[] = []
  const child = spawn(bin, flagsOf(at, kubeconfig, ['--log-level', 'debug', ...flags]), {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  createInterface(child.stderr).on('line', (line) => lines.push(line))
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGCONT')
    child.kill('SIGTERM')
    const patience = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await ended
    clearTimeout(patience)
  }
  await eventually(`${name} has started`, () => lines.some((line) => line.includes('controller started')))
  return { ...replica(at, lines, stop), signal: (signal) => void child.kill(signal) }
}

function replica(at: At, log: readonly string[], stop: () => Promise<void>): Replica {
  const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${at.metrics}/metrics`)).text()
  return { name: at.name, port: at.agents, webhook: at.webhook, log, metrics, stop }
}

function flagsOf({ name, agents, webhook, metrics }: At, kubeconfig: string, flags: readonly string[]): string[] {
  const listens = { listen: agents, webhook, metrics }
  return [
    '--kubeconfig',
    kubeconfig,
    '--namespace',
    namespace,
    '--name',
    name,
    // Nothing but the test asks the webhook.
    '--webhook-drain',
    '0',
    ...Object.entries(listens).flatMap(([flag, port]) => [`--${flag}`, `127.0.0.1:${port}`]),
    ...flags,
  ]
}

async function places(name: string): Promise<At> {
  return { name, agents: await freePort(), webhook: await freePort(), metrics: await freePort() }
}

/** Below those that the kernel gives to clients, so that nobody takes it before it is listened on. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer()
    try {
      server.listen(randomInt(10_000, 32_000), '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    } finally {
      await server[Symbol.asyncDispose]().catch(() => undefined)
    }
  }
}

/** `nodeleaf_x_total{reason="Y"} 3`: the sum of the samples that have these labels; 0 where there are none. */
export function sampleOf(text: string, metric: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([name, value]) => `${name}="${value}"`)
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
