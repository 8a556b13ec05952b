import assert from 'node:assert/strict'
import { established, reaches } from '../lab/checks.ts'
import type { ControlPlane } from '../lab/control-plane.ts'
import { eventually } from '../lab/eventually.ts'
import { hostSession, l3vni, underlay } from '../lab/resources.ts'
import { showsNone } from '../lab/secrecy.ts'
import { watchSessions } from '../lab/session-watch.ts'
import { announcedBy, sessionsWith, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

/** What all passwords have in common. */
const MARK = 'Xq7v'
const FIRST = `${MARK}-the-first`
const SECOND = `${MARK}-the-second`
const RED_PEERS = ['192.169.10.1', 'fd00:c9:10::1']
const BLUE_PEERS = ['192.169.20.1', 'fd00:c9:20::1']

export const scenario: Scenario = {
  name: 'cluster-secret',
  summary: 'a password from a Secret: missing, created, changed; only its sessions wait, and no one shows it',
  // Processes in user-mode Linux on a busy machine.
  timeoutSeconds: 180,
  async run(lab, t) {
    const plane = await lab.startControlPlane()
    await plane.startAgents(lab.nodes)

    t.step('the Secret of red is missing: its sessions wait, blue works, the status says what to do')
    const guarded = { ...hostSession('192.169.10.0/24', 'fd00:c9:10::/64'), passwordSecret: { name: 'bgp-red' } }
    await plane.apply(underlay(), l3vni('red', { hostSession: guarded }), l3vni('blue'))
    const waiting = await plane.condition('l3vnis/red', 'Ready', 'False')
    t.note(`Ready of L3VNI/red: ${waiting.message}`)
    assert.match(waiting.message, /Secret.*bgp-red/)
    assert.match(waiting.message, /key password.*namespace/, 'it says where the Secret has to be')
    await plane.condition('l3vnis/red', 'Accepted', 'True')
    for (const what of ['underlays/fabric', 'l3vnis/blue']) await plane.condition(what, 'Ready', 'True')
    const speakers = await Promise.all(
      lab.nodes.map((node) => {
        const { name } = node
        const sessions = [...sessionsWith(name, ['red'], { password: FIRST }), ...sessionsWith(name, ['blue'])]
        return startFrrSpeaker(node, ['red', 'blue'], { sessions })
      }),
    )
    await Promise.all(speakers.map((speaker) => established(speaker, BLUE_PEERS)))
    await reaches(
      lab.ns('hostblue'),
      lab.nodes.flatMap(({ name }) => announcedBy(name, 'blue')),
    )
    for (const speaker of speakers)
      for (const peer of RED_PEERS) assert.equal(await speaker.established(peer), false, `${peer} waits`)
    const blue = await Promise.all(lab.nodes.map(({ routerFrr }) => watchSessions(routerFrr, 'blue')))

    t.step('a Secret without a password in it is no better, and the status says that')
    await plane.apply(secret({ pass: FIRST }))
    const incomplete = await eventually('it says what is missing in the Secret', async () => {
      const { message } = await plane.condition('l3vnis/red', 'Ready', 'False')
      return message === waiting.message ? undefined : message
    })
    assert.match(incomplete, /bgp-red/)
    t.note(`Ready of L3VNI/red: ${incomplete}`)

    t.step('the Secret is there: the sessions come')
    const created = performance.now()
    await plane.apply(secret({ password: FIRST }))
    await plane.condition('l3vnis/red', 'Ready', 'True')
    await Promise.all(speakers.map((speaker) => established(speaker, RED_PEERS)))
    t.note(`sessions ${((performance.now() - created) / 1000).toFixed(1)} s after the Secret`)
    const red = lab.nodes.flatMap(({ name }) => announcedBy(name, 'red'))
    await reaches(lab.ns('hostred'), red)

    t.step('the password is changed on both sides: the sessions come again')
    const changed = performance.now()
    await plane.apply(secret({ password: SECOND }))
    for (const speaker of speakers)
      await speaker.configure('router bgp 64515', ...RED_PEERS.map((peer) => `neighbor ${peer} password ${SECOND}`))
    for (const node of lab.nodes)
      await eventually(`the router of ${node.name} has the new password`, async () =>
        (await node.routerFrr.running()).includes(SECOND),
      )
    await Promise.all(speakers.map((speaker) => established(speaker, RED_PEERS)))
    await reaches(lab.ns('hostred'), red)
    t.note(`sessions ${((performance.now() - changed) / 1000).toFixed(1)} s after the change`)
    for (const watch of blue) await watch.check()

    t.step('nobody shows a password')
    for (const node of lab.nodes) await showsNone(node, MARK)
    await showsNoPassword(plane)
  },
}

const secret = (stringData: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'bgp-red', namespace: 'nodeleaf-system' },
  stringData,
})

/** Not as it is, and not as a Secret has it. */
async function showsNoPassword(plane: ControlPlane): Promise<void> {
  const texts = new Map<string, string>()
  for (const controller of plane.controllers) {
    texts.set(`the log of ${controller.name}`, await controller.process.log())
    texts.set(`the metrics of ${controller.name}`, await controller.metrics())
  }
  const namespaced = ['api/v1/namespaces/nodeleaf-system/configmaps', 'apis/events.k8s.io/v1/events']
  const kinds = ['underlays', 'l3vnis', 'l2vnis', 'l3passthroughs', 'routernodes'].map(
    (plural) => `apis/nodeleaf.io/v1alpha1/${plural}`,
  )
  const others = ['api/v1/nodes', 'api/v1/pods', 'apis/coordination.k8s.io/v1/leases']
  for (const path of [...namespaced, ...kinds, ...others])
    texts.set(path, JSON.stringify(await plane.client.ask('GET', `/${path}`)))
  const { items } = await plane.client.ask('GET', '/apis/events.k8s.io/v1/events')
  assert.ok((items as readonly unknown[]).length > 0, 'there are events to look at')
  for (const [what, text] of texts) {
    assert.ok(text.length > 0, `there is ${what}`)
    for (const password of [MARK, ...[FIRST, SECOND].map((each) => Buffer.from(each).toString('base64'))])
      assert.ok(!text.includes(password), `a password is in ${what}`)
  }
}
