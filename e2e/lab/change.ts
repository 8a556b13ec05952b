/**
 * Changing what nodes are told, and what must be true of every such change: traffic works before and after, nothing of
 * the old is left anywhere, and a VPN that was not changed loses neither a session nor a packet.
 */
import assert from 'node:assert/strict'
import type { ScenarioLog } from '../scenario.ts'
import { established, reaches, ready } from './checks.ts'
import { eventually } from './eventually.ts'
import type { Frr } from './frr.ts'
import type { Lab } from './lab.ts'
import { isAgain, nodeState } from './node-state.ts'
import type { Files, LabNode } from './node.ts'
import { l3vni } from './resources.ts'
import { watchSessions } from './session-watch.ts'
import { announcedBy, frrSpeaker, sessionsWith, type SpeakerSession } from './speaker.ts'

/** Does what changes the files, and waits until every node has taken up another plan and put it in place. */
export async function applied(nodes: readonly LabNode[], change: () => Promise<void>): Promise<void> {
  const desired = async (node: LabNode): Promise<string | undefined> => (await node.agent.status()).revision.desired
  const before = await Promise.all(nodes.map(desired))
  await change()
  for (const [at, node] of nodes.entries()) {
    await eventually(`${node.name} has another plan`, async () => (await desired(node)) !== before[at])
  }
  await ready(nodes)
}

export interface Change {
  /** What the nodes begin with, and come back to. Blue is always there beside it, and is never changed. */
  readonly one: Files
  readonly other: Files
  /** Sessions of the hosts' speakers beside those with blue, in both versions. */
  readonly sessions?: (node: LabNode) => readonly SpeakerSession[]
  /** After the agents are ready for the first time: workloads, for example. */
  readonly prepare?: () => Promise<void>
  readonly oneWorks: () => Promise<void>
  readonly otherWorks: () => Promise<void>
  /** The change takes the underlay away for a while: blue loses packets, though none of its hosts' sessions. */
  readonly underlay?: true
}

const BLUE = ['192.169.20.1', 'fd00:c9:20::1']

/** From one version to the other and back; at the end everything is as a fresh start with the first made it. */
export async function thereAndBack(lab: Lab, t: ScenarioLog, change: Change): Promise<void> {
  const { nodes } = lab
  t.step('a fresh start')
  await lab.writeConfig({ ...change.one, 'blue.yaml': l3vni('blue') })
  await lab.startAgents()
  await ready(nodes)
  await change.prepare?.()
  await Promise.all(nodes.map((node) => speaker(node, change.sessions?.(node) ?? [])))
  await reaches(
    lab.ns('hostblue'),
    nodes.flatMap((node) => announcedBy(node.name, 'blue')),
  )
  await change.oneWorks()
  const fresh = await Promise.all(nodes.map(nodeState))

  const watches = await Promise.all([
    ...nodes.map(({ routerFrr }) => watchSessions(routerFrr, 'blue')),
    ...(change.underlay ? [] : nodes.map(({ routerFrr }) => watchSessions(routerFrr))),
  ])
  const pingers = nodes.flatMap((node) =>
    announcedBy(node.name, 'blue').map((address) => lab.ns('hostblue').pinger(address, { interval: 0.05 })),
  )

  t.step('the change')
  const begun = performance.now()
  await applied(nodes, () => lab.writeConfig(change.other))
  t.note(`changed in ${((performance.now() - begun) / 1000).toFixed(1)} s, from the files to Ready on both nodes`)
  t.step('what was changed works')
  await change.otherWorks()

  t.step('the way back')
  await applied(nodes, () => lab.writeConfig(change.one))
  t.step('what was changed back works')
  await change.oneWorks()

  t.step('another VPN has not noticed')
  const results = await Promise.all(pingers.map((pinger) => pinger.stop()))
  for (const watch of watches) await watch.check()
  const [sent, lost] = [
    results.reduce((sum, each) => sum + each.sent, 0),
    results.reduce((sum, each) => sum + each.lost, 0),
  ]
  t.note(`blue: ${lost} of ${sent} packets lost`)
  if (!change.underlay) assert.equal(lost, 0, 'blue loses no packet while another VPN changes')

  t.step('nothing is left over: as after the fresh start')
  for (const [at, node] of nodes.entries()) await isAgain(node, fresh[at] ?? [])
}

/** A speaker with sessions in blue, whose addresses are on the loopback, and with others. */
async function speaker(node: LabNode, more: readonly SpeakerSession[]): Promise<Frr> {
  const sessions = [...sessionsWith(node.name, ['blue']), ...more]
  await node.addAddresses(...sessions.flatMap(({ announces = [] }) => announces))
  const frr = await node.hostFrr(frrSpeaker({ routerID: `10.254.0.${node.name.slice(-1)}`, sessions }))
  await established(frr, BLUE)
  return frr
}

/** Waits until zebra has exactly these VNIs. */
export async function hasVnis(node: LabNode, vnis: readonly number[]): Promise<void> {
  await eventually(`the router of ${node.name} has the VNIs ${vnis.join(', ')}`, async () => {
    const has = Object.keys((await node.routerFrr.zebra('show evpn vni json')) as object).map(Number)
    if (has.sort((a, b) => a - b).join() !== vnis.join()) throw new Error(`it has ${has.join(', ')}`)
    return true
  })
}
