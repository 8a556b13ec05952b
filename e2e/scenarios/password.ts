import assert from 'node:assert/strict'
import { established, reaches, ready } from '../lab/checks.ts'
import { consistently, eventually } from '../lab/eventually.ts'
import { hostSession, l3vni, secret, underlay } from '../lab/resources.ts'
import { announcedBy, sessionsWith, startFrrSpeaker } from '../lab/speaker.ts'
import { showsNone } from '../lab/secrecy.ts'
import type { Scenario } from '../scenario.ts'

const TOR = 'tor-Xq7vTorSecret'
const RED = 'red-Xq7vRedSecret'
const BLUE = 'blue-Xq7vBlueSecret'
/** What all of them have in common. */
const MARK = 'Xq7v'

const RED_PEERS = ['192.169.10.1', 'fd00:c9:10::1']
const BLUE_PEERS = ['192.169.20.1', 'fd00:c9:20::1']

export const scenario: Scenario = {
  name: 'password',
  summary:
    'TCP MD5 passwords from Secrets; a wrong one or a missing Secret stops its session only; no password is seen anywhere',
  async run(lab, t) {
    const node1 = lab.node('node1')
    const withPassword = (name: string, cidrs: [string, string]) => ({
      hostSession: { ...hostSession(...cidrs), passwordSecret: { name } },
    })
    const neighbor = {
      address: '192.168.10.1',
      type: 'External',
      connectTime: 1,
      passwordSecret: { name: 'tor' },
    } as const

    t.step('the ToRs ask for a password; the Secret of blue is not there yet')
    for (const [tor, asn] of [
      ['tor1', 64601],
      ['tor2', 64602],
    ] as const) {
      await lab.router(tor).configure(`router bgp ${asn}`, `neighbor NODES password ${TOR}`)
    }
    await lab.writeConfig({
      'underlay.yaml': underlay({ neighbors: [neighbor] }),
      'red.yaml': l3vni('red', withPassword('red', ['192.169.10.0/24', 'fd00:c9:10::/64'])),
      'blue.yaml': l3vni('blue', withPassword('blue', ['192.169.20.0/24', 'fd00:c9:20::/64'])),
      'secrets.yaml': [secret('tor', { password: TOR }), secret('red', { password: RED })],
    })
    await lab.startAgents()
    const sessions = [
      ...sessionsWith('node1', ['red'], { password: RED }),
      ...sessionsWith('node1', ['blue'], { password: BLUE }),
    ]
    const speaker = await startFrrSpeaker(node1, ['red', 'blue'], { sessions })

    t.step('the others work')
    await established(node1.routerFrr, ['192.168.10.1'])
    await established(speaker, RED_PEERS)
    await reaches(lab.ns('hostred'), announcedBy('node1', 'red'))

    t.step('the session without its Secret waits, and the status says for what')
    await eventually('nodeleaf status names the Secret', async () => {
      const { refused, resources, problems } = await node1.agent.status()
      const said = [...refused, ...resources, ...problems].filter((entry) => JSON.stringify(entry).includes('Secret'))
      if (said.length === 0) throw new Error(JSON.stringify({ refused, resources, problems }))
      return true
    })
    for (const peer of BLUE_PEERS) assert.equal(await speaker.established(peer), false, `${peer} has no password yet`)
    assert.equal((await speaker.sessions()).get(RED_PEERS[0]!)?.dropped, 0, 'red never went down')

    t.step('with a wrong password there is no session')
    await lab.writeConfig({ 'blue-secret.yaml': secret('blue', { password: `${BLUE}-wrong` }) })
    await ready([node1])
    await eventually('the router has the neighbours of blue', async () => {
      const peers = [...(await node1.routerFrr.sessions('blue')).keys()]
      return ['192.169.20.2', 'fd00:c9:20::2'].every((peer) => peers.includes(peer))
    })
    await consistently(
      'no session in blue',
      async () => {
        const states = await speaker.sessions()
        return BLUE_PEERS.every((peer) => states.get(peer)?.state !== 'Established')
      },
      { forMs: 3000 },
    )
    await reaches(lab.ns('hostred'), announcedBy('node1', 'red'))

    t.step('with the right one there is')
    await lab.writeConfig({ 'blue-secret.yaml': secret('blue', { password: BLUE }) })
    await established(speaker, BLUE_PEERS)
    await reaches(lab.ns('hostblue'), announcedBy('node1', 'blue'))
    await ready(lab.nodes)
    assert.equal((await speaker.sessions()).get(RED_PEERS[0]!)?.dropped, 0, 'red never went down')

    t.step('no password is in a log, a status or a file that others may read')
    for (const node of lab.nodes) await showsNone(node, MARK)

    t.step('a changed password is taken up')
    await speaker.configure('router bgp 64515', ...RED_PEERS.map((peer) => `neighbor ${peer} password ${RED}-2`))
    await lab.writeConfig({
      'secrets.yaml': [secret('tor', { password: TOR }), secret('red', { password: `${RED}-2` })],
    })
    await established(speaker, RED_PEERS)
    await reaches(lab.ns('hostred'), announcedBy('node1', 'red'))
    await showsNone(node1, MARK)

    for (const [tor, asn] of [
      ['tor1', 64601],
      ['tor2', 64602],
    ] as const) {
      await lab.router(tor).configure(`router bgp ${asn}`, `no neighbor NODES password ${TOR}`)
    }
  },
}
