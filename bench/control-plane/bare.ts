/**
 * What connections cost that have nothing to say, layer by layer, in servers that do nothing else: the floor that the
 * memory of the controller stands on.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryOf } from '../process/cost.ts'
import { BARE_LAYERS, type BareLayer, type BareLook, type BareServer } from './bare-messages.ts'
import { shippedEnvironment } from './shipped.ts'

const WHAT: Readonly<Record<BareLayer, string>> = {
  tls: 'TLS (node:tls)',
  http2: 'and HTTP/2 with a stream (node:http2)',
  'grpc-js': 'and gRPC (@grpc/grpc-js), as in the controller',
}
/** Buffers that are of no use any more are given back meanwhile. */
const REST_MS = 1500

interface Row {
  readonly layer: BareLayer
  readonly without: number
  readonly along: number
}

/** Prints a row for each layer. @throws when not all connections come to stand */
export async function compareBare(connections: number, nodeFlags: readonly string[]): Promise<void> {
  const rows: Row[] = []
  for (const layer of BARE_LAYERS) rows.push(await measured(layer, connections, nodeFlags))
  process.stdout.write(
    `${connections} connections, MiB resident\n\n` +
      '| layers | without | with | KiB a connection | 5,000 of them, MiB |\n| --- | ---: | ---: | ---: | ---: |\n',
  )
  for (const { layer, without, along } of rows) {
    const each = (along - without) / connections
    const sizes = [without.toFixed(0), along.toFixed(0), (each * 1024).toFixed(1), (without + 5000 * each).toFixed(0)]
    const cells = [WHAT[layer], ...sizes]
    process.stdout.write(`| ${cells.join(' | ')} |\n`)
  }
}

async function measured(layer: BareLayer, connections: number, nodeFlags: readonly string[]): Promise<Row> {
  const server = fork(join(import.meta.dirname, 'bare-server.ts'), [layer], {
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning', ...nodeFlags],
    env: { ...shippedEnvironment(), ...process.env },
  })
  let clients: ChildProcess | undefined
  try {
    const [{ port, ca }] = (await once(server, 'message')) as [BareServer]
    await rested(server)
    const without = resident(server)
    const argv = [layer, String(port), ca, String(connections)]
    clients = fork(join(import.meta.dirname, 'bare-clients.ts'), argv, {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    const died = once(clients, 'exit').then(() => {
      throw new Error(`${layer}: a connection failed`)
    })
    await Promise.race([once(clients, 'message'), died])
    died.catch(() => {})
    const look = await rested(server)
    if (look.connections !== connections) throw new Error(`${layer}: ${look.connections} connections came to stand`)
    return { layer, without, along: resident(server) }
  } finally {
    clients?.kill()
    server.kill()
  }
}

async function rested(server: ChildProcess): Promise<BareLook> {
  let look: BareLook = { connections: 0 }
  for (let time = 0; time < 2; time++) {
    server.send('look')
    look = ((await once(server, 'message')) as [BareLook])[0]
    await sleep(REST_MS)
  }
  return look
}

/** MiB. */
const resident = ({ pid }: ChildProcess): number => memoryOf(pid ?? 0).rss
