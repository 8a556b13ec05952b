import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { established, hasNoRouter, reaches } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { hasNothingOf, routedLink } from '../lab/overlay.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { watchSessions } from '../lab/session-watch.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const RED_PEERS = ['192.169.10.1', 'fd00:c9:10::1']

export const scenario: Scenario = {
  name: 'cluster-directory',
  summary: 'without Kubernetes: files at the controller, certificates for agents; apply, edit, delete, a restart',
  // Processes in user-mode Linux on a busy machine.
  timeoutSeconds: 180,
  async run(lab, t) {
    const plane = await lab.startDirectoryPlane()
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]

    t.step('certificates of another node and of another CA get nothing')
    for (const { name } of lab.nodes) await plane.issueCertificate(name)
    const foreign = plane.folder('foreign')
    await plane.issueCertificate('node2', { stateDir: plane.folder('foreign-state'), out: foreign })
    await plane.write({ 'fabric.yaml': [underlay(), l3vni('red')] })
    const node1Says = plane.flagsFor(node2, plane.folder('agent-node1'))
    const strange = plane.flagsFor(node2, foreign, plane.folder('agent-node2/ca.crt'))
    for (const [what, flags, said] of [
      ["node1's certificate", node1Says, /another node/],
      ['a certificate of another CA', strange, /NoCertificate|certificate/],
      [
        'the right certificate, and another CA to trust',
        plane.flagsFor(node2, plane.folder('agent-node2'), join(foreign, 'ca.crt')),
        /certificate/,
      ],
    ] as const) {
      await node2.agent.start({ flags })
      const link = await eventually(`${what} is refused`, async () => {
        const { controller } = await node2.agent.status()
        if (controller?.lastError === undefined) throw new Error(JSON.stringify(controller))
        return controller
      })
      t.note(`${what}: ${link.state}, ${link.lastError}`)
      assert.match(link.lastError ?? '', said)
      const { revision, resources } = await node2.agent.status()
      assert.deepEqual([revision.desired, resources], [undefined, []], 'it has no plan')
      await hasNoRouter(node2)
      await node2.agent.stop()
    }
    assert.equal(await plane.routerNode('node2'), undefined, 'nobody came as node2')
    const metrics = await plane.metrics()
    for (const reason of ['OtherNode', 'NoCertificate'])
      assert.match(metrics, new RegExp(`^nodeleaf_agents_refused_total\\{reason="${reason}"\\} [1-9]`, 'm'))

    t.step('with their own they get what the files say')
    const began = performance.now()
    await Promise.all(lab.nodes.map((node) => node.agent.start({ flags: plane.flagsFor(node) })))
    for (const resource of ['Underlay-fabric', 'L3VNI-red']) await plane.ready(resource, { nodes: 2 })
    t.note(`Ready on both nodes ${((performance.now() - began) / 1000).toFixed(1)} s after the start of the agents`)
    const speakers = await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red'])))
    await Promise.all(speakers.map((speaker) => established(speaker, RED_PEERS)))
    const addresses = lab.nodes.flatMap(({ name }) => announcedBy(name, 'red'))
    await reaches(lab.ns('hostred'), addresses)
    const numbers = async () => Promise.all(lab.nodes.map(async ({ name }) => (await plane.routerNode(name))?.spec))
    const given = await numbers()
    assert.deepEqual(given.map((spec) => spec?.index).toSorted(), [0, 1])
    assert.deepEqual(given.flatMap((spec) => spec?.addresses?.vteps ?? []).toSorted(), ['100.65.0.1', '100.65.0.2'])
    await eventually('the file of node1 says how it fares', async () => {
      const { status } = (await plane.routerNode('node1')) ?? {}
      const peers = (status?.sessions ?? []).filter(({ state }) => state === 'Established').map(({ peer }) => peer)
      assert.ok(status?.conditions?.every((each) => each.status === 'True'))
      assert.equal(status?.revision?.applied, (await node1.agent.status()).revision.applied)
      return ['192.168.10.1', '192.169.10', 'fd00:c9:10:'].every((start) =>
        peers.some((peer) => peer.startsWith(start)),
      )
    })

    t.step('a new file, an edit')
    await plane.write({ 'segment.yaml': [l2vni('segment110')] })
    await plane.ready('L2VNI-segment110', { nodes: 2, generation: 1 })
    await addWorkload(lab, node1, { name: 'w1', bridge: 'br-hs-110', addresses: ['10.110.0.11/24'] })
    await reaches(lab.ns('hostl2'), ['10.110.0.11'])
    const edited = performance.now()
    await plane.write({ 'segment.yaml': [l2vni('segment110', { gatewayIPs: ['10.110.0.254/24'] })] })
    await plane.ready('L2VNI-segment110', { nodes: 2, generation: 2 })
    t.note(`an edit is Ready on both nodes after ${((performance.now() - edited) / 1000).toFixed(1)} s`)
    for (const node of lab.nodes) {
      const shown = JSON.stringify(await node.router.show('addr', 'show', 'dev', routedLink(node, 110)))
      assert.match(shown, /"10\.110\.0\.254"/, node.name)
      assert.doesNotMatch(shown, /"10\.110\.0\.1"/, node.name)
    }

    t.step('an object that contradicts is refused by its status, a file that is none by problems.yaml')
    await plane.write({ 'bad.yaml': [l2vni('thief', { vni: 100 })] })
    await eventually('the status of the younger one names the older one', async () => {
      const accepted = (await plane.statusOf('L2VNI-thief'))?.conditions.find(({ type }) => type === 'Accepted')
      return accepted?.status === 'False' && accepted.message.includes('L3VNI/red')
    })
    await plane.write({ 'bad.yaml': [{ kind: 'L9VNI', metadata: { name: 'typo' } }] })
    const problems = join(plane.stateDir, 'problems.yaml')
    await eventually('the problem is told', async () => (await readFile(problems, 'utf8')).includes('bad.yaml'))
    await plane.remove('bad.yaml')
    await eventually('and gone with the file', () => !existsSync(problems))
    await eventually('its status goes with it', async () => (await plane.statusOf('L2VNI-thief')) === undefined)

    t.step('the controller is killed and started: nothing changes on nodes, numbers stay')
    const pingers = addresses.map((address) => lab.ns('hostred').pinger(address, { interval: 0.1 }))
    const watches = await Promise.all(lab.nodes.map(({ routerFrr }) => watchSessions(routerFrr)))
    const counters = async () =>
      Promise.all(
        lab.nodes.map(async ({ agent }) => {
          const { counters: now, revision } = await agent.status()
          return [now.netlinkWrites, now.frrCommands, now.start, revision.applied]
        }),
      )
    const before = await counters()
    await plane.controller.end('SIGKILL')
    for (const { name, agent } of lab.nodes)
      await eventually(`${name} says that it is away`, async () => (await agent.status()).controller?.state === 'away')
    await plane.startController()
    for (const { name, agent } of lab.nodes)
      await eventually(`${name} is back`, async () => (await agent.status()).controller?.state === 'connected')
    await plane.ready('L3VNI-red', { nodes: 2 })
    assert.deepEqual(await numbers(), given)
    assert.deepEqual(await counters(), before, 'nothing was written, nothing planned anew')
    for (const watch of watches) await watch.check()
    const results = await Promise.all(pingers.map((pinger) => pinger.stop()))
    assert.deepEqual(
      results.map(({ lost }) => lost),
      results.map(() => 0),
    )
    t.note(`0 of ${results.reduce((sum, { sent }) => sum + sent, 0)} packets lost while the controller was away`)

    t.step('a deleted file takes its objects from the nodes')
    await plane.remove('segment.yaml')
    for (const node of lab.nodes)
      await eventually(`nothing is left on ${node.name}`, async () => {
        await hasNothingOf(node, [110])
        return true
      })
    await eventually('nor of its status', async () => (await plane.statusOf('L2VNI-segment110')) === undefined)
    await reaches(lab.ns('hostred'), addresses)

    t.step('only the owner can read what is secret')
    for (const file of ['ca.json', 'numbers.json', 'config.json'].filter((each) =>
      existsSync(join(plane.stateDir, each)),
    ))
      assert.equal((await stat(join(plane.stateDir, file))).mode & 0o077, 0, file)
  },
}
