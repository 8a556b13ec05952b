import assert from 'node:assert/strict'
import { reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import type { LabNode } from '../lab/node.ts'
import { l2vni, l3vni, underlay } from '../lab/resources.ts'
import { watchSessions } from '../lab/session-watch.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const HOST = ['br-hs-500', 'br-hs-foo', 'host-500', 'theirs', 'user0', 'user2']
const ROUTER = ['theirs', 'br500', 'user1']
const auto = { type: 'LinuxBridge', autoCreate: true } as const
const PREFIXES = ['10.77.', '10.78.', 'fd00:77:']

export const scenario: Scenario = {
  name: 'foreign-objects',
  summary:
    "links, VRFs, addresses and routes of a user's are never touched, whatever their names; who needs a name waits",
  async run(lab, t) {
    const node = lab.node('node1')

    t.step("a user's links in the host, with names that nodeleaf would like")
    await node.ip(
      'link add br-hs-500 type bridge',
      // Its MAC is set and it has a port, so that it does not change when another port comes and goes.
      'link add br-hs-foo address 02:00:00:00:77:01 type bridge',
      'link add user2 type dummy',
      'link set user2 master br-hs-foo up',
      'link add host-500 type dummy',
      'link add theirs type vrf table 7700',
      'link add user0 type dummy',
      'link set host-500 master br-hs-500 up',
      'link set br-hs-500 up mtu 1400',
      'link set br-hs-foo up',
      'link set theirs up',
      'link set user0 master theirs up',
      'addr add 10.77.0.1/24 dev br-hs-500',
      'addr add fd00:77::1/64 dev br-hs-foo nodad',
      'addr add 10.78.0.1/24 dev user0',
      'route add unreachable default table 7700 metric 9999',
      'route add 10.77.8.0/24 via 10.77.0.2 proto 110',
    )

    t.step('the agent starts with two good VPNs')
    await node.writeConfig({ 'underlay.yaml': underlay(), 'red.yaml': [l3vni('red'), l2vni('segment110')] })
    await node.agent.start()
    await ready([node])
    const watch = await watchSessions(node.routerFrr).catch(() => undefined)

    t.step("and a user's links in the router")
    await node.router.ip(
      'link add theirs type vrf table 7701',
      'link add br500 type bridge',
      'link add user1 type dummy',
      'link set theirs up',
      'link set br500 up',
      'link set user1 master theirs up',
      'addr add 10.78.1.1/24 dev user1',
      'route add 10.78.9.0/24 dev user1 table 7701',
    )
    const before = await eventually('their addresses are there, and no longer tentative', async () => {
      const [own, tentative] = await Promise.all([
        Promise.all(['br500', 'user1'].map((name) => node.router.exec('ip', '-6', '-o', 'addr', 'show', 'dev', name))),
        Promise.all([node, node.router].map((each) => each.exec('ip', '-6', '-o', 'addr', 'show', 'tentative'))),
      ])
      const settled = own.every((text) => text.includes(' fe80:')) && tentative.every((text) => text.trim() === '')
      return settled ? await theirs(node) : null
    })

    t.step('resources that want those names are Failed, naming link and place; all others are Ready')
    const taken = [l2vni('bridge', { vni: 500, hostMaster: auto }), l3vni('vrf', { vni: 510, vrf: 'theirs' })]
    const foo = l2vni('foo', { vni: 520, hostMaster: { ...auto, name: 'br-hs-foo' } })
    await node.writeConfig({
      'taken.yaml': [...taken, foo],
      'good.yaml': l2vni('good', { vni: 530, hostMaster: auto }),
    })
    const states = await eventually('three are Failed, the others Ready', async () => {
      const { resources } = await node.agent.status()
      const of = (wanted: string) =>
        resources
          .filter(({ state }) => state === wanted)
          .map(({ name }) => name)
          .sort()
          .join()
      if (of('Failed') !== 'bridge,foo,vrf') throw new Error(JSON.stringify(resources))
      return of('Ready') === 'fabric,good,red,segment110' ? resources : null
    })
    for (const [name, word] of [
      ['bridge', /br500|br-hs-500|host-500/],
      ['vrf', /theirs/],
      ['foo', /br-hs-foo/],
    ] as const) {
      const state = states.find((each) => each.name === name)
      assert.equal(state?.reason, 'NameTaken', `${name}: ${state?.message}`)
      assert.match(state?.message ?? '', word)
      assert.match(state?.message ?? '', /host|router|namespace/)
    }
    assert.deepEqual(await theirs(node), before, 'nothing of theirs was touched')

    t.step('a bridge of theirs may be used when the resource says so; it stays theirs')
    await node.writeConfig({
      'taken.yaml': taken,
      'bar.yaml': l2vni('bar', { vni: 540, hostMaster: { type: 'LinuxBridge', name: 'br-hs-foo', autoCreate: false } }),
    })
    await eventually('bar is Ready', async () => {
      const { resources } = await node.agent.status()
      return resources.some(({ name, state }) => name === 'bar' && state === 'Ready')
    })
    assert.equal((await node.link('host-540'))?.master, 'br-hs-foo')
    await node.removeConfig('bar.yaml')
    await node.writeConfig({ 'taken.yaml': [...taken, foo] })
    await eventually('bar is gone', async () => (await node.link('host-540')) === undefined)
    await eventually('foo waits again', async () => {
      const { resources } = await node.agent.status()
      return resources.some(({ name, state }) => name === 'foo' && state === 'Failed')
    })
    assert.deepEqual(await theirs(node), before, 'nothing of theirs was touched')

    t.step('nor does a restart touch anything')
    await node.agent.stop()
    await node.agent.start()
    await eventually('the same states', async () => {
      const { resources } = await node.agent.status()
      return resources.filter(({ state }) => state === 'Failed').length === 3
    })
    assert.deepEqual(await theirs(node), before, 'nothing of theirs was touched')

    t.step("when the user's links go, the resources heal by themselves")
    await node.router.ip('link del br500', 'link del user1', 'link del theirs')
    await node.ip('link del host-500', 'link del br-hs-500', 'link del br-hs-foo', 'link del user2')
    await ready([node])
    for (const name of ['br-hs-500', 'host-500', 'br-hs-foo']) {
      assert.match((await node.link(name))?.ifalias ?? '', /^nodeleaf:L2VNI\//, `${name} is nodeleaf's now`)
    }
    await addWorkload(lab, node, { name: 'w1', bridge: 'br-hs-110', addresses: ['10.110.0.11/24', 'fd00:110::11/64'] })
    await reaches(lab.ns('hostl2'), ['10.110.0.11', 'fd00:110::11'])
    await watch?.check()

    t.step("uninstall leaves the user's VRF in the host alone")
    const vrf = async () => (await theirs(node)).filter((line) => /^node1: .*("theirs"|user0|7700)/.test(line))
    const left = await vrf()
    assert.ok(left.length > 3)
    await node.agent.uninstall()
    assert.deepEqual(await vrf(), left)
    // The rule is the kernel's, made with the first VRF of a namespace.
    await node.shell('ip rule del pref 1000; ip -6 rule del pref 1000')
    await node.ip('link del user0', 'route del unreachable default table 7700 metric 9999', 'link del theirs')
  },
}

/** Everything of the user's in both namespaces. */
async function theirs(node: LabNode): Promise<string[]> {
  const of = async (namespace: LabNode | LabNode['router'], names: readonly string[]): Promise<string[]> => {
    const lines = await namespace.snapshot()
    return lines
      .filter(
        (line) =>
          [...names.map((name) => `"${name}"`), ...PREFIXES].some((word) => line.includes(word)) ||
          /"table":"770/.test(line),
      )
      .map((line) => `${namespace.name}: ${line}`)
  }
  const routed = (await node.exec('ip', 'netns', 'list')).includes(node.router.name)
  return [...(await of(node, HOST)), ...(routed ? await of(node.router, ROUTER) : [])]
}
