/** The real agent on the real kernel and FRR, in one of the datapath's shapes: what the lab tests of both run. */
import test from 'ava'
import { difference, snapshotOf } from '../e2e/lab/snapshot.ts'
import { eventually } from '../e2e/lab/eventually.ts'
import type { DatapathShape } from './kernel/objects.ts'
import { LabAgent, sh, UNDERLAY } from './lab-agent.ts'

const RED = `
apiVersion: nodeleaf.io/v1alpha1
kind: L3VNI
metadata: {name: red}
spec:
  vni: 100
  vrf: red
  hostSession: {asn: 64514, hostASN: 64515, localCIDR: {ipv4: 192.169.10.0/24, ipv6: "fd00:c9:10::/64"}}
`
const WEB = `
apiVersion: nodeleaf.io/v1alpha1
kind: L2VNI
metadata: {name: web}
spec: {vni: 110, vrf: red, gatewayIPs: [10.110.0.1/24], hostMaster: {type: LinuxBridge, autoCreate: true}}
`

export async function agentSuite(shape: DatapathShape): Promise<void> {
  const agent = new LabAgent(shape === 'single' ? 's' : 'a', { datapath: shape })
  const routed = (vni: number): string => (shape === 'single' ? `svi${vni}` : `br${vni}`)
  await agent.still()
  const before = await snapshotOf(agent.host)
  const links = (namespace: string): string => sh(`ip -n ${namespace} -br link`)
  const running = (): string => sh(`vtysh -N ${agent.router} -c 'show running-config'`)

  test.serial('the configuration becomes kernel objects and FRR configuration', async (t) => {
    agent.write('underlay.yaml', UNDERLAY)
    agent.write('red.yaml', RED)
    agent.write('web.yaml', WEB)
    await agent.start()
    const status = await agent.settled()
    t.deepEqual(status.resources.map(({ kind, name, state }) => `${kind}/${name} ${state}`).sort(), [
      'L2VNI/web Ready',
      'L3VNI/red Ready',
      'Underlay/fabric Ready',
    ])
    t.deepEqual(status.addresses.vteps, ['100.65.0.1'])
    t.deepEqual(status.vnis.map(({ vni, type }) => `${vni} ${type}`).sort(), ['100 L3', '110 L2'])
    t.like(status.datapath, { shape, reason: 'asked for with --datapath' })
    const vxlans = shape === 'single' ? ['nlvx0', 'nlvx1'] : ['vx100', 'vx110']
    for (const name of ['vtep0', 'red', routed(100), routed(110), ...vxlans, 'pe-100', 'pe-110', 'eth1']) {
      t.regex(links(agent.router), new RegExp(`^${name}\\b`, 'm'))
    }
    t.regex(links(agent.host), /^host-100\b/m)
    t.regex(running(), /router bgp 64514 vrf red/)
    t.regex(running(), /^ vni 100$/m)
  })

  test.serial('another pass writes nothing', async (t) => {
    await eventually('it is quiet', async () => (await agent.status()).counters.lastReconcile?.netlinkWrites === 0)
    const { counters } = await agent.status()
    sh(`ip -n ${agent.host} link add dev x type dummy; ip -n ${agent.host} link del x`)
    const after = await eventually('a pass', async () => {
      const now = (await agent.status()).counters
      return now.reconciles > counters.reconciles ? now : undefined
    })
    t.is(after.netlinkWrites, counters.netlinkWrites)
    t.is(after.frrCommands, counters.frrCommands)
  })

  test.serial('what somebody else changes is repaired', async (t) => {
    const address = (): string => sh(`ip -n ${agent.router} addr show ${routed(110)}`)
    sh(`vtysh -N ${agent.router} -c 'conf t' -c 'router bgp 64514' -c 'no neighbor 192.168.10.1'`)
    sh(`ip -n ${agent.router} addr del 10.110.0.1/24 dev ${routed(110)}`)
    await eventually('the gateway is back', () => address().includes('10.110.0.1/24'))
    await eventually('the neighbour is back', () => running().includes('neighbor 192.168.10.1'))
    t.pass()
  })

  // In the single shape ports wait for a zebra that stands still.
  if (shape === 'per-vni')
    test.serial('a workload that speaks before zebra knows its port is announced', async (t) => {
      const mac = '02:00:0a:6e:00:0b'
      sh(`ip netns add spoke; ip -n ${agent.host} link add w1 type veth peer name eth0 address ${mac} netns spoke
        ip -n ${agent.host} link set w1 master br-hs-110 up; ip -n spoke link set eth0 up
        ip -n spoke addr add 10.110.0.11/24 dev eth0`)
      const zebra = sh(`cat /run/frr/${agent.router}/zebra.pid`).trim()
      t.teardown(() => sh(`kill -CONT ${zebra}; ip netns del spoke; ip -n ${agent.host} link del w1 2>&- || true`))
      // zebra is to hear of the port after the workload: so many other links come before it.
      const crowd = (verb: string) =>
        sh(`for i in $(seq 300); do echo link ${verb} dev x$i type dummy; done | ip -n ${agent.router} -batch -`)
      sh(`kill -STOP ${zebra}`)
      crowd('add')
      t.teardown(() => crowd('del'))
      sh(`ip -n ${agent.router} link del pe-110`)
      await eventually('the port is back, and the workload was heard', () => {
        sh('ip netns exec spoke ping -c 1 -W 1 10.110.0.1')
        return sh(`bridge -n ${agent.router} fdb show brport pe-110 2>&1 || true`).includes(mac)
      })
      sh(`kill -CONT ${zebra}`)
      const told = () => sh(`vtysh -N ${agent.router} -c 'show bgp l2vpn evpn route type 2'`)
      await eventually('it is announced', () => {
        sh('ip netns exec spoke ping -c 1 -W 1 10.110.0.1')
        return told().includes(`[${mac}]:[32]:[10.110.0.11]`)
      })
      const learnt = sh(`bridge -n ${agent.router} fdb show brport pe-110`).match(new RegExp(`^${mac}.*$`, 'gm'))
      t.is(learnt?.length, 1, 'zebra would let go of it when the first of several ages')
    })

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test.serial(`an agent that comes back after ${signal} adopts everything: no writes, no commands`, async (t) => {
      await agent.still()
      const [host, router] = [await snapshotOf(agent.host), await snapshotOf(agent.router)]
      const frr = sh(`cat /run/frr/${agent.router}/bgpd.pid`)
      t.is(await agent.stop(signal), signal === 'SIGTERM' ? 0 : signal)
      t.deepEqual(difference(host, await snapshotOf(agent.host)), [])
      await agent.start()
      const { counters } = await agent.settled()
      t.is(counters.netlinkWrites, 0)
      t.is(counters.frrCommands, 0)
      t.deepEqual(difference(router, await snapshotOf(agent.router)), [])
      t.is(sh(`cat /run/frr/${agent.router}/bgpd.pid`), frr)
    })
  }

  test.serial('a bad file is reported and its last good version stays', async (t) => {
    const { revision } = await agent.status()
    agent.write('red.yaml', RED.replace('vni: 100', 'vni: 0'))
    const status = await eventually('it is reported', async () => {
      const now = await agent.status()
      return now.problems.length > 0 ? now : undefined
    })
    t.regex(status.problems[0]?.message ?? '', /red\.yaml:/)
    t.is(status.revision.desired, revision.desired)
    agent.write('red.yaml', RED)
    await eventually('it is gone', async () => (await agent.status()).problems.length === 0)
  })

  test.serial('a foreign link of a needed name fails its resource alone', async (t) => {
    sh(`ip -n ${agent.host} link add host-200 type dummy`)
    agent.write(
      'blue.yaml',
      RED.replaceAll('red', 'blue').replace('100', '200').replace('169.10', '169.20').replace('c9:10', 'c9:20'),
    )
    const status = await eventually('blue fails', async () => {
      const now = await agent.status()
      return now.resources.some(({ name, state }) => name === 'blue' && state === 'Failed') ? now : undefined
    })
    t.like(
      status.resources.find(({ name }) => name === 'blue'),
      { reason: 'NameTaken' },
    )
    t.deepEqual(
      status.resources
        .filter(({ state }) => state === 'Ready')
        .map(({ name }) => name)
        .sort(),
      ['fabric', 'red', 'web'],
    )
    sh(`ip -n ${agent.host} link del host-200`)
    await agent.settled(({ resources }) => resources.every(({ state }) => state === 'Ready'))
    agent.remove('blue.yaml')
    await agent.settled(({ resources }) => resources.length === 3)
    t.notRegex(links(agent.router), /200/)
  })

  test.serial('a daemon of FRR that dies comes back with its configuration', async (t) => {
    // What a daemon starts with is written a moment after the change.
    const kept = () => sh(`cat /run/frr/${agent.router}/managed/bgpd.conf`)
    await eventually('what runs is kept', () => kept().includes('vrf red') && !kept().includes('vrf blue'))
    const { counters } = await agent.status()
    sh(`kill -9 $(cat /run/frr/${agent.router}/bgpd.pid)`)
    await eventually('bgpd is configured', () => running().includes('router bgp 64514 vrf red'))
    const status = await agent.settled(
      ({ frr, resources }) => frr.state === 'connected' && resources.every(({ state }) => state === 'Ready'),
    )
    t.is(status.counters.frrCommands, counters.frrCommands, 'bgpd starts with what was saved')
  })

  test.serial('the node boots into the last good plan without its configuration', async (t) => {
    const { revision } = await agent.status()
    await agent.stop('SIGTERM')
    sh(`mv ${agent.configDir} ${agent.configDir}.away`)
    await agent.start()
    const status = await agent.settled()
    t.is(status.revision.applied, revision.applied)
    t.is(status.revision.from, 'last-good')
    t.regex(status.problems[0]?.message ?? '', /does not exist/)
    sh(`mv ${agent.configDir}.away ${agent.configDir}`)
    await agent.settled(({ revision: now }) => now.from === 'configuration')
  })

  test.serial('an empty directory removes everything', async (t) => {
    for (const file of ['underlay.yaml', 'red.yaml', 'web.yaml']) agent.remove(file)
    await agent.settled(({ resources }) => resources.length === 0)
    await eventually('the host is as it was', async () => difference(before, await snapshotOf(agent.host)).length === 0)
    t.notRegex(running(), /router bgp|^ vni /m)
  })

  test.serial('uninstall, while the agent runs, leaves the host as it was', async (t) => {
    agent.write('underlay.yaml', UNDERLAY)
    agent.write('red.yaml', RED)
    await agent.settled(({ resources }) => resources.length === 2)
    t.is(await agent.uninstall(), 0)
    t.deepEqual(agent.leftovers, [])
    t.notRegex(sh('ip netns'), new RegExp(`^${agent.router}\\b`, 'm'))
    t.is(sh('pgrep -f "[/]usr/lib/frr" || true'), '')
    await eventually('the host is as it was', async () => difference(before, await snapshotOf(agent.host)).length === 0)
    t.deepEqual(difference(before, await snapshotOf(agent.host)), [])
  })

  test.after.always(async (t) => {
    if (!t.passed) t.log(agent.log)
    await agent.stop('SIGTERM')
  })
}
