import assert from 'node:assert/strict'
import { established, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { hostSession, l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, sessionsWith, startFrrSpeaker } from '../lab/speaker.ts'
import type { Frr } from '../lab/frr.ts'
import type { Scenario } from '../scenario.ts'

/** 3 packets of 300 ms are 0.9 s; the rest is for a slow machine. BGP alone would need 6 to 9 s, its hold time. */
const MOST_MS = 5000
const HOST_PEERS = ['192.169.10.1', 'fd00:c9:10::1']

/**
 * The ToRs know the nodes by their addresses here. FRR before 10.4 does not start a session while its BFD is down
 * (bgpd/bgpd.c, peer_active), and a ToR that waits for a connection (`bgp listen range`) has no BFD before it: neither
 * would begin again.
 */
const TORS = [
  { tor: 'tor1', asn: 64601, node: '192.168.10.11' },
  { tor: 'tor2', asn: 64602, node: '192.168.10.12' },
] as const

export const scenario: Scenario = {
  name: 'bfd',
  summary:
    'BFD with the ToR and with the host: a link that loses everything and a peer that hangs are found in a second',
  async run(lab, t) {
    const node1 = lab.node('node1')
    const router = node1.routerFrr

    t.step('BFD on the other side')
    for (const { tor, asn, node } of TORS) {
      await lab.router(tor).configure(`router bgp ${asn}`, `neighbor ${node} peer-group NODES`, `neighbor ${node} bfd`)
    }

    t.step('without BFD there is no bfdd')
    await lab.writeConfig({ 'underlay.yaml': underlay(), 'red.yaml': l3vni('red') })
    await lab.startAgents()
    await ready(lab.nodes)
    const before = await router.pids()
    assert.deepEqual([...before.keys()].toSorted(), ['bgpd', 'mgmtd', 'zebra'])

    t.step('BFD on both sides')
    const timers = { connectTime: 1, holdTime: 9, keepaliveTime: 3 }
    await lab.writeConfig({
      'underlay.yaml': underlay({ neighbors: [{ address: '192.168.10.1', type: 'External', bfd: {}, ...timers }] }),
      'red.yaml': l3vni('red', {
        hostSession: { ...hostSession('192.169.10.0/24', 'fd00:c9:10::/64'), bfd: {}, ...timers },
      }),
    })
    await eventually('bfdd runs, and the others went on', async () => {
      const pids = await router.pids()
      for (const [daemon, pid] of before) assert.equal(pids.get(daemon), pid, `${daemon} went on`)
      return pids.has('bfdd')
    })
    await ready(lab.nodes)
    const speakers = await Promise.all(
      lab.nodes.map((node) =>
        startFrrSpeaker(node, ['red'], { sessions: sessionsWith(node.name, ['red'], { bfd: true }) }),
      ),
    )
    await Promise.all(speakers.map((speaker) => established(speaker, HOST_PEERS)))

    t.step('the sessions have BFD, up on both sides')
    const peers = ['192.168.10.1', '192.169.10.2', 'fd00:c9:10::2']
    for (const peer of peers) await isUp(router, peer)
    for (const peer of HOST_PEERS) await isUp(speakers[0]!, peer)
    await isUp(lab.router('tor1'), '192.168.10.11')
    await eventually('nodeleaf status tells', async () => {
      const { sessions } = await node1.agent.status()
      const states = peers.map((peer) => sessions.find((session) => session.peer === peer)?.bfd?.toLowerCase())
      if (states.some((state) => state !== 'up')) throw new Error(JSON.stringify(sessions))
      return true
    })
    const [own4] = announcedBy('node1', 'red')
    await reaches(lab.ns('hostred'), [own4])

    t.step('the link to the ToR loses every packet, with the carrier on')
    const switch1 = lab.ns('tor1')
    await switch1.exec('tc', 'qdisc', 'add', 'dev', 'eth2', 'root', 'netem', 'loss', '100%')
    const link = await downAfter(router, '192.168.10.1')
    t.note(`a link that loses everything: found after ${link.toFixed(0)} ms`)
    assert.ok(link < MOST_MS)
    await reasonIsBfd(router, '192.168.10.1', 'default')
    const [nic] = await node1.router.show('link', 'show', 'dev', 'eth1')
    assert.ok(nic.flags.includes('LOWER_UP'), 'the NIC has carrier: only BFD could tell')

    t.step('the link works again')
    await switch1.exec('tc', 'qdisc', 'del', 'dev', 'eth2', 'root')
    await established(router, ['192.168.10.1'])
    await isUp(router, '192.168.10.1')
    await reaches(lab.ns('hostred'), [own4])

    t.step("the host's speaker hangs")
    const pids = [...(await speakers[0]!.pids()).values()]
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    const hang = await downAfter(router, '192.169.10.2').finally(() => {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    })
    t.note(`a speaker that hangs: found after ${hang.toFixed(0)} ms`)
    assert.ok(hang < MOST_MS)
    await reasonIsBfd(router, '192.169.10.2', 'red')

    t.step('the speaker goes on')
    await established(speakers[0]!, HOST_PEERS)
    for (const peer of peers) await isUp(router, peer)
    await reaches(lab.ns('hostred'), [own4])

    t.step('bfdd dies')
    const bfdd = (await router.pids()).get('bfdd') ?? Number.NaN
    process.kill(bfdd, 'SIGKILL')
    await eventually('another bfdd runs', async () => {
      const pid = (await router.pids()).get('bfdd')
      return pid !== undefined && pid !== bfdd
    })
    for (const peer of peers) await isUp(router, peer)
    await established(router, ['192.168.10.1'])
    await ready([node1])
    await reaches(lab.ns('hostred'), [own4])

    for (const { tor, asn, node } of TORS) {
      await lab.router(tor).configure(`router bgp ${asn}`, `no neighbor ${node}`)
    }
  },
}

interface BfdPeer {
  readonly peer: string
  readonly status: string
}

async function stateOf(frr: Frr, address: string): Promise<string> {
  const shown = (await frr.bfd('show bfd peers json')) as BfdPeer[]
  return shown.find(({ peer }) => peer === address)?.status ?? 'not there'
}

async function isUp(frr: Frr, peer: string): Promise<void> {
  await eventually(`BFD of ${frr.name} with ${peer} is up`, async () => {
    const state = await stateOf(frr, peer)
    if (state !== 'up') throw new Error(`it is ${state}`)
    return true
  })
}

/** Milliseconds until BFD says down. */
async function downAfter(frr: Frr, peer: string): Promise<number> {
  const started = performance.now()
  await eventually(`BFD of ${frr.name} with ${peer} goes down`, async () => (await stateOf(frr, peer)) === 'down', {
    everyMs: 20,
  })
  return performance.now() - started
}

/** BGP gave the session up because of BFD, not by a timer. */
async function reasonIsBfd(frr: Frr, peer: string, vrf: string): Promise<void> {
  const { detail } = await eventually('BGP has dropped the session', async () => {
    const session = (await frr.sessions(vrf)).get(peer)
    return session?.state === 'Established' ? null : session
  })
  // "BGP Notification send" is the reason then, and "Cease/BFD Down" what it says (RFC 9384).
  assert.match(`${detail.lastResetDueTo} ${detail.lastNotificationReason}`, /BFD/i)
}
