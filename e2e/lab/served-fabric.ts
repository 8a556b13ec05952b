/** Nodes that a control plane serves, with traffic through them, and the proof that nothing touched them for a while. */
import assert from 'node:assert/strict'
import { established, reaches } from './checks.ts'
import type { ControlPlane, ControlPlaneOptions } from './control-plane.ts'
import type { Lab } from './lab.ts'
import { l3vni, underlay } from './resources.ts'
import { announcedBy, startFrrSpeaker } from './speaker.ts'

export interface ServedFabric {
  readonly plane: ControlPlane
  /** Flows from the remote leaf to a host on every node, until `stop`: gives how many packets were sent, none was lost. */
  watchTraffic(): { stop(): Promise<number> }
  /** What the agents have written until now; `check` fails when they have written anything since. */
  watchWrites(): Promise<{ check(): Promise<void> }>
}

/** Starts controllers and agents, applies an Underlay and the VPN red, and waits until traffic flows to every node. */
export async function serveFabric(lab: Lab, options: ControlPlaneOptions = {}): Promise<ServedFabric> {
  const plane = await lab.startControlPlane(options)
  await plane.startAgents(lab.nodes)
  await plane.apply(underlay(), l3vni('red'))
  for (const what of ['underlays/fabric', 'l3vnis/red']) await plane.condition(what, 'Ready', 'True')
  const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red'])))
  await Promise.all(speakers.map((speaker) => established(speaker, ['192.169.10.1', 'fd00:c9:10::1'])))
  const hostred = lab.ns('hostred')
  const addresses = lab.nodes.flatMap(({ name }) => announcedBy(name, 'red'))
  await reaches(hostred, addresses)
  return {
    plane,
    watchTraffic() {
      const pingers = addresses.map((address) => hostred.pinger(address, { interval: 0.1 }))
      return {
        async stop() {
          const results = await Promise.all(pingers.map((pinger) => pinger.stop()))
          for (const [at, { lost, sent, gapMs }] of results.entries())
            assert.equal(lost, 0, `to ${addresses[at]}: ${lost} of ${sent} lost, ${gapMs} ms without an answer`)
          return results.reduce((sum, { sent }) => sum + sent, 0)
        },
      }
    },
    async watchWrites() {
      const now = async () => {
        const all = await Promise.all(lab.nodes.map((node) => node.agent.status()))
        return all.map(({ counters: { netlinkWrites, frrCommands, start } }) => ({ netlinkWrites, frrCommands, start }))
      }
      const before = await now()
      return { check: async () => assert.deepEqual(await now(), before, 'agents have written') }
    },
  }
}
