import assert from 'node:assert/strict'
import { established, reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { liveIn, settingsOf } from '../lab/lived-in-nic.ts'
import { frrConfiguration, namespaceIsAgain } from '../lab/node-state.ts'
import { l2vni, l3vni, passthrough, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const FILES = {
  'underlay.yaml': underlay(),
  'vpns.yaml': [l3vni('red'), l3vni('blue'), l2vni('segment110'), l2vni('segment300'), passthrough()],
}

export const scenario: Scenario = {
  name: 'delete-all',
  summary: 'an empty config directory brings the node back to its start, the NIC with everything it had',
  async run(lab, t) {
    const [node, host] = [lab.node('node1'), lab.ns('hostred')]

    t.step('a NIC with addresses of many kinds, routes, a rule, an MTU and settings')
    const undo = await liveIn(node)
    const [before, settings] = [await node.snapshot(), await settingsOf(node)]

    t.step('a resource of every kind')
    await node.writeConfig(FILES)
    await node.agent.start()
    await ready([node])
    const speaker = await startFrrSpeaker(node, ['red'])
    await established(speaker, ['192.169.10.1', 'fd00:c9:10::1'])
    await reaches(host, announcedBy('node1', 'red'))
    await addWorkload(lab, node, { name: 'w1', bridge: 'br-hs-110', addresses: ['10.110.0.11/24', 'fd00:110::11/64'] })
    await reaches(lab.ns('hostl2'), ['10.110.0.11', 'fd00:110::11'])

    const emptied = async (): Promise<void> => {
      const begun = performance.now()
      await node.replaceConfig({})
      await eventually('the agent has applied that nothing is wanted', async () => {
        const { resources, revision, problems, problem } = await node.agent.status()
        const left = [...resources, ...problems, ...(problem === undefined ? [] : [problem])]
        if (left.length > 0) throw new Error(JSON.stringify(left))
        return revision.desired === revision.applied
      })
      t.note(`everything deleted in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
    }
    t.step('all files are deleted')
    await lab.removeNamespace('w1')
    await emptied()

    t.step('the host is as it was, the NIC with all it had')
    await speaker.stop()
    await node.ip(...announcedBy('node1', 'red').map((address) => `addr del ${address} dev lo`))
    await namespaceIsAgain(node.name, before)
    assert.equal(await settingsOf(node), settings)
    await reaches(node, ['192.168.10.1', 'fd00:10::1'])

    t.step('the router is empty')
    const links = (await node.router.show('link')).map(({ ifname }) => ifname as string)
    assert.deepEqual(links, ['lo'], 'no link but lo in the router')
    assert.deepEqual(await node.router.routes('all').then((routes) => routes.filter(({ dev }) => dev !== 'lo')), [])
    const lines = await frrConfiguration(node)
    assert.deepEqual(
      lines.filter((line) => /: (router|vrf|route-map|ip prefix-list|ipv6 prefix-list|bfd)\b/.test(line)),
      [],
      'FRR has no configuration',
    )
    assert.deepEqual(await node.routerFrr.zebra('show evpn vni json'), {})

    t.step('the files come back, and all works again')
    await node.writeConfig(FILES)
    await eventually('there is something to do', async () => (await node.agent.status()).resources.length > 0)
    await ready([node])
    const again = await startFrrSpeaker(node, ['red'])
    await established(again, ['192.169.10.1', 'fd00:c9:10::1'])
    await reaches(host, announcedBy('node1', 'red'))
    await again.stop()
    await node.ip(...announcedBy('node1', 'red').map((address) => `addr del ${address} dev lo`))
    await node.agent.stop()

    t.step('uninstall gives back the same')
    await node.agent.uninstall()
    await namespaceIsAgain(node.name, before)
    assert.equal(await settingsOf(node), settings)
    const namespaces = await node.exec('ip', 'netns', 'list')
    assert.equal(namespaces.includes(node.router.name), false, "the router's namespace is gone")
    await undo()
    await node.addAddresses(
      ...announcedBy('node1', 'red').map((address) => `${address}/${address.includes(':') ? 128 : 32}`),
    )
  },
}
