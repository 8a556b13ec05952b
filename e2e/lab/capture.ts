/** What passes a NIC, by tcpdump: for showing that something does not. */
import { spawn } from 'node:child_process'
import { eventually } from './eventually.ts'
import type { Namespace } from './namespace.ts'

export interface Capture {
  /** The packets so far, a line each; those inside VXLAN are shown with what they carry. */
  lines(): readonly string[]
  /** Ends the capture and gives all lines. */
  stop(): Promise<readonly string[]>
}

/** Starts a capture and waits until it runs. `filter` is tcpdump's: `icmp or udp port 4789`. */
export async function startCapture(namespace: Namespace, nic: string, filter: string): Promise<Capture> {
  const [file = '', ...args] = namespace.argv('tcpdump', '-n', '-l', '--immediate-mode', '-i', nic, filter)
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said += chunk))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await eventually(`tcpdump listens on ${nic} of ${namespace.name}`, () => {
    if (child.exitCode !== null) throw new Error(said)
    return said.includes('listening on')
  })
  // The packet inside a tunnel is on a line of its own, indented or not.
  const lines = () => text.split('\n').filter((line) => line !== '')
  return {
    lines,
    async stop() {
      child.kill('SIGINT')
      await ended
      return lines()
    },
  }
}
