import assert from 'node:assert/strict'
import { NIC_MOVE_STEPS, NIC_RETURN_STEPS } from '../../agent/kernel/nic/move.ts'
import { established, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { liveIn, settingsOf } from '../lab/lived-in-nic.ts'
import { namespaceIsAgain } from '../lab/node-state.ts'
import { underlay } from '../lab/resources.ts'
import type { Scenario } from '../scenario.ts'

const ADDRESSES = ['192.168.10.11/24', 'fd00:10::11/64', '10.99.0.1/24', '10.98.0.1/24', 'fd00:99::1/64']

export const scenario: Scenario = {
  name: 'nic-crash',
  summary:
    'the agent dies between every two steps of the move of a NIC, both ways: the next one finishes, nothing is lost',
  timeoutSeconds: 240,
  async run(lab, t) {
    const node = lab.node('node1')
    const crashing = (point: string) => ({ env: { NODELEAF_CRASH_AT: point }, nowait: true })

    t.step('a NIC with addresses of many kinds, routes, a rule, an MTU and settings')
    const undo = await liveIn(node)
    const [before, settings] = [await node.snapshot(), await settingsOf(node)]
    const isBack = async (): Promise<void> => {
      await namespaceIsAgain(node.name, before)
      assert.equal(await settingsOf(node), settings)
    }
    const isInside = (): Promise<unknown> =>
      eventually('the NIC is in the router with its addresses', async () => {
        const [nic] = await node.router.show('addr', 'show', 'dev', 'eth1')
        const has = nic.addr_info.map(
          ({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`,
        )
        const missing = ADDRESSES.filter((address) => !has.includes(address))
        if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`)
        return nic.flags.includes('UP') && (await node.link('eth1')) === undefined
      })
    const died = async (point: string): Promise<void> => {
      assert.equal(await node.agent.ended(), 'SIGKILL', `it died at ${point}`)
    }

    // An agent that dies on the way in is followed by one that finishes, and dies on the way back, and so on.
    const rounds = Math.max(NIC_MOVE_STEPS.length, NIC_RETURN_STEPS.length)
    for (let round = 1; round <= rounds; round++) {
      const way = Math.min(round, NIC_MOVE_STEPS.length)
      const [there, back] = [`nic-move:${way}`, `nic-return:${round}`]
      t.step(`dies after ${there} (${NIC_MOVE_STEPS[way - 1]})`)
      await node.replaceConfig({ 'underlay.yaml': underlay() })
      if (round === way) {
        await node.agent.start(crashing(there))
        await died(there)
      }
      t.step(`finishes after ${there} (${NIC_MOVE_STEPS[way - 1]})`)
      await node.agent.start({ ...crashing(back), nowait: false })
      await isInside()
      if (round === 1) {
        await ready([node])
        await established(node.routerFrr, ['192.168.10.1', 'fd00:10::1'])
      }
      t.step(`dies after ${back} (${NIC_RETURN_STEPS[round - 1]})`)
      await node.replaceConfig({})
      await died(back)
      t.step(`finishes after ${back} (${NIC_RETURN_STEPS[round - 1]})`)
      await node.agent.start()
      await isBack()
      await node.agent.stop()
    }
    t.note(`${NIC_MOVE_STEPS.length} points on the way in, ${NIC_RETURN_STEPS.length} on the way back`)

    t.step('an uninstall after a crash half way gives the NIC back too')
    await node.replaceConfig({ 'underlay.yaml': underlay() })
    await node.agent.start(crashing('nic-move:3'))
    await died('nic-move:3')
    await node.agent.uninstall()
    await isBack()

    t.step('and the NIC works')
    await reaches(node, ['192.168.10.1', 'fd00:10::1'])
    await undo()
  },
}
