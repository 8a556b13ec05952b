import assert from 'node:assert/strict'
import { applied } from '../lab/change.ts'
import { established, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { isAgain, nodeState } from '../lab/node-state.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { watchSessions } from '../lab/session-watch.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

const SYNTAX = 'apiVersion: nodeleaf.io/v1alpha1\nkind: L2VNI\nmetadata:\n  name: broken\nspec: {vni: [1, 2\n'
const KIND = 'apiVersion: nodeleaf.io/v1alpha1\nkind: L4VNI\nmetadata: {name: what}\nspec: {vni: 5}\n'

export const scenario: Scenario = {
  name: 'bad-file',
  summary:
    'a bad file is reported with file and line and hurts nothing else; its last good version stays; mending heals',
  async run(lab, t) {
    const node = lab.node('node1')

    t.step('a good start')
    await node.writeConfig({ 'underlay.yaml': underlay(), 'red.yaml': l3vni('red'), 'blue.yaml': l3vni('blue') })
    await node.agent.start()
    await ready([node])
    await established(await startFrrSpeaker(node, ['red', 'blue']), ['192.169.10.1', '192.169.20.1', 'fd00:c9:20::1'])
    await reaches(lab.ns('hostred'), announcedBy('node1', 'red'))
    await reaches(lab.ns('hostblue'), announcedBy('node1', 'blue'))
    const good = await nodeState(node)
    const watches = await Promise.all(['red', 'blue', 'default'].map((vrf) => watchSessions(node.routerFrr, vrf)))
    const pingers = ['red', 'blue'].flatMap((vpn) =>
      announcedBy('node1', vpn as 'red' | 'blue').map((address) =>
        lab.ns(`host${vpn}`).pinger(address, { interval: 0.05 }),
      ),
    )

    /** Waits for a problem of this file, and that it names what it should. */
    const reported = async (file: string, ...words: RegExp[]): Promise<void> => {
      await eventually(`${file} is reported`, async () => {
        const { problems } = await node.agent.status()
        const own = problems.filter(({ where }) => where.endsWith(file)).map(({ message }) => message)
        if (own.length === 0) throw new Error(`problems: ${JSON.stringify(problems)}`)
        for (const word of words) assert.match(own.join('\n'), word)
        return true
      })
    }
    const unhurt = async (): Promise<void> => {
      await eventually('all that is good is in place', async () => {
        const { resources, revision } = await node.agent.status()
        if (resources.some(({ state }) => state !== 'Ready')) throw new Error(JSON.stringify(resources))
        return revision.desired !== undefined && revision.desired === revision.applied
      })
      await isAgain(node, good)
    }

    t.step('a syntax error in a new file: named with its line, the rest unhurt')
    await node.writeConfig({ 'broken.yaml': SYNTAX })
    await reported('broken.yaml', /broken\.yaml:[56]/)
    await unhurt()

    t.step('an unknown kind in another new file')
    await node.writeConfig({ 'kind.yaml': KIND })
    await reported('kind.yaml', /kind\.yaml:\d/, /L4VNI/)
    await reported('broken.yaml')
    await unhurt()

    t.step('an edit breaks a good file: its last good version stays')
    await node.writeConfig({ 'red.yaml': l3vni('red', { vni: -5 }) })
    await reported('red.yaml', /red\.yaml:\d+/, /vni/)
    await unhurt()

    t.step('the same after the agent starts anew')
    await node.agent.stop()
    await node.agent.start()
    await reported('red.yaml', /red\.yaml:\d+/)
    await reported('broken.yaml')
    await unhurt()
    const { counters } = await node.agent.status()
    assert.deepEqual([counters.netlinkWrites, counters.frrCommands], [0, 0], 'it changed nothing')

    t.step('an object in conflict with a good one: refused, naming both, while a good one beside it is taken')
    const hostMaster = { type: 'LinuxBridge', autoCreate: true } as const
    await node.writeConfig({ 'web.yaml': [l2vni('zeta', { vni: 200 }), l2vni('web', { vni: 120, hostMaster })] })
    await eventually('zeta is refused', async () => {
      const { refused } = await node.agent.status()
      const [violation] = refused.filter(({ object }) => object.name === 'zeta')
      if (violation === undefined) throw new Error(JSON.stringify(refused))
      assert.equal(violation.reason, 'VNIConflict')
      assert.match(violation.message, /blue/)
      return true
    })
    await eventually('web is Ready', async () => {
      const { resources } = await node.agent.status()
      return resources.some(({ name, state }) => name === 'web' && state === 'Ready')
    })

    t.step('when the conflict ends, the other is taken up; mended files heal')
    await node.removeConfig('web.yaml', 'kind.yaml')
    await node.writeConfig({ 'broken.yaml': l2vni('broken', { vni: 121, hostMaster }), 'red.yaml': l3vni('red') })
    await eventually('the mended file is taken', async () => {
      const { resources } = await node.agent.status()
      return resources.some(({ name, state }) => name === 'broken' && state === 'Ready')
    })
    await ready([node])
    await applied([node], () => node.removeConfig('broken.yaml'))
    await isAgain(node, good)

    t.step('traffic and sessions went on all the while')
    const results = await Promise.all(pingers.map((pinger) => pinger.stop()))
    const [sent, lost] = [
      results.reduce((sum, each) => sum + each.sent, 0),
      results.reduce((sum, each) => sum + each.lost, 0),
    ]
    t.note(`${lost} of ${sent} packets lost`)
    assert.equal(lost, 0)
    for (const watch of watches) await watch.check()
  },
}
