import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { established, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { reboot } from '../lab/reboot.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const FILES = {
  'underlay.yaml': underlay({ gracefulRestart: { restartTime: 3, stalePathTime: 10 } }),
  'red.yaml': [l3vni('red'), l2vni('segment110')],
}
const BAD = { 'underlay.yaml': 'kind: Underlay\nspec: [', 'red.yaml': 'what: is this?\n- no yaml\n' }

export const scenario: Scenario = {
  name: 'boot-from-last-good',
  summary:
    'after a reboot without a config directory, or with nothing but bad files, the node boots into its last plan',
  async run(lab, t) {
    const node = lab.node('node1')
    const works = async (): Promise<void> => {
      await established(await startFrrSpeaker(node, ['red']), ['192.169.10.1', 'fd00:c9:10::1'])
      await reaches(lab.ns('hostred'), announcedBy('node1', 'red'))
      await addWorkload(lab, node, {
        name: 'w1',
        bridge: 'br-hs-110',
        addresses: ['10.110.0.11/24', 'fd00:110::11/64'],
      })
      await reaches(lab.ns('hostl2'), ['10.110.0.11', 'fd00:110::11'])
    }
    const allReady = async (): Promise<void> => {
      await eventually('every resource is Ready', async () => {
        const { resources, revision } = await node.agent.status()
        const unready = resources.filter(({ state }) => state !== 'Ready')
        if (resources.length !== 3 || unready.length > 0) throw new Error(JSON.stringify(resources))
        return revision.desired === revision.applied
      })
    }

    t.step('a good start')
    await node.writeConfig(FILES)
    await node.agent.start()
    await ready([node])
    await works()
    const { revision } = await node.agent.status()
    assert.equal(revision.lastGood, revision.desired)

    t.step('a reboot without the config directory')
    await reboot(lab, node)
    await rename(node.agent.configDir, `${node.agent.configDir}.away`)
    await node.agent.start()
    await allReady()
    const missing = await node.agent.status()
    assert.equal(missing.revision.applied, revision.applied, 'the same plan')
    assert.equal(missing.revision.from, 'last-good')
    assert.match(missing.problems.map(({ message }) => message).join(), /does not exist/)
    assert.match((await node.agent.cli('status')).stdout, /last.good/i, 'a person is told')
    await works()

    t.step('a reboot with bad files alone')
    await reboot(lab, node)
    await rename(`${node.agent.configDir}.away`, node.agent.configDir)
    await node.replaceConfig(BAD)
    await node.agent.start()
    await allReady()
    const bad = await node.agent.status()
    assert.equal(bad.revision.applied, revision.applied, 'the same plan')
    assert.deepEqual([...new Set(bad.problems.map(({ where }) => where))].sort(), ['red.yaml', 'underlay.yaml'])
    await works()

    t.step('a damaged last good plan is not trusted, the one before it is')
    await reboot(lab, node)
    await rename(node.agent.configDir, `${node.agent.configDir}.away`)
    await node.shell(`echo damage >> ${node.agent.stateDir}/last-good`)
    await node.agent.start()
    const { problems } = await eventually('it says so', async () => {
      const status = await node.agent.status()
      return status.problems.some(({ message }) => /checksum/.test(message)) ? status : null
    })
    t.note(problems.map(({ message }) => message).join('; '))

    t.step('the files come back')
    await rename(`${node.agent.configDir}.away`, node.agent.configDir)
    await node.replaceConfig(FILES)
    await ready([node])
    assert.equal((await node.agent.status()).revision.from, 'configuration')
    await works()
  },
}
