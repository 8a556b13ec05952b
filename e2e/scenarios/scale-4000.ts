import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { reaches, ready } from '../lab/checks.ts'
import { eventually } from '../lab/eventually.ts'
import { l2vni, l3vni, underlay, type Resource } from '../lab/resources.ts'
import { addWorkload } from '../lab/workload.ts'
import type { Scenario } from '../scenario.ts'

const VRFS = 400
const SEGMENTS = 3600
const SAMPLES = 10
const [L3, ROUTED, BRIDGED, OTHER_SIDE] = [10_000, 20_000, 30_000, 40_000] as const
const hostMaster = { type: 'LinuxBridge', autoCreate: true } as const

/** Spread over all of them, the first and the last among them. */
const sampled = (of: number): number[] =>
  Array.from({ length: SAMPLES }, (_, at) => Math.round((at * (of - 1)) / (SAMPLES - 1)))
const ROUTED_SAMPLE = sampled(VRFS)
const BRIDGED_SAMPLE = sampled(SEGMENTS - VRFS)

const vrf = (number: number): Resource => l3vni(`v${number}`, { vni: L3 + number })
const subnet = (number: number): string => `10.${100 + Math.floor(number / 200)}.${number % 200}`
const farSubnet = (number: number): string => `10.${110 + Math.floor(number / 200)}.${number % 200}`

/** Each VRF has a segment with a gateway; all other segments are layer 2 only. A bridge in the host where it is tried. */
const routed = (number: number): Resource =>
  l2vni(`r${number}`, {
    vni: ROUTED + number,
    vrf: `v${number}`,
    gatewayIPs: [`${subnet(number)}.1/24`],
    ...(ROUTED_SAMPLE.includes(number) ? { hostMaster } : {}),
  })
const bridged = (number: number): Resource =>
  l2vni(`b${number}`, { vni: BRIDGED + number, ...(BRIDGED_SAMPLE.includes(number) ? { hostMaster } : {}) })
/** The other node has another subnet in the VRF: routed between VNIs over the L3VNI. */
const otherSide = (number: number): Resource =>
  l2vni(`o${number}`, {
    vni: OTHER_SIDE + number,
    vrf: `v${number}`,
    gatewayIPs: [`${farSubnet(number)}.1/24`],
    hostMaster,
  })

const all = <T>(count: number, make: (number: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at))

export const scenario: Scenario = {
  name: 'scale-4000',
  summary: '4000 VNIs and 400 VRFs on one node come up, and 20 of them, spread over all, pass traffic',
  datapaths: ['single'],
  onlyByName: 'it takes some minutes of a whole processor, and 4 GiB',
  timeoutSeconds: 1800,
  memoryGiB: 4,
  async run(lab, t) {
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]
    // What an administrator of such a node sets: entries of multicast groups count, one and more a link.
    for (const family of ['ipv4', 'ipv6']) await writeFile(`/proc/sys/net/${family}/neigh/default/gc_thresh3`, '65536')
    const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(0)

    t.step('node2 has the sample alone')
    await node2.writeConfig({
      'underlay.yaml': underlay(),
      'vrfs.yaml': ROUTED_SAMPLE.flatMap((number) => [vrf(number), otherSide(number)]),
      'segments.yaml': BRIDGED_SAMPLE.map(bridged),
    })
    await node2.agent.start()
    await ready([node2], { timeoutMs: 120_000 })

    t.step('node1 has 4000 VNIs and 400 VRFs')
    await node1.writeConfig({
      'underlay.yaml': underlay(),
      'vrfs.yaml': all(VRFS, vrf),
      'routed.yaml': all(VRFS, routed),
      'bridged.yaml': all(SEGMENTS - VRFS, bridged),
    })
    const began = performance.now()
    await node1.agent.start()
    t.note(`the agent answers after ${seconds(began)} s`)
    const daemons = await eventually('FRR runs', async () => {
      const pids = await node1.routerFrr.pids()
      return (['mgmtd', 'zebra', 'bgpd'] as const).every((daemon) => pids.has(daemon)) ? pids : undefined
    })
    const zebra = daemons.get('zebra') ?? 0
    await ready([node1], { timeoutMs: 1_200_000, everyMs: 5000 })
    t.note(`all Ready ${seconds(began)} s after the start of the agent, zebra took ${await cpuSeconds(zebra)} s of CPU`)

    t.step('kernel and zebra have all of them')
    const asking = () => node1.routerFrr.zebra('show evpn json')
    const evpn = await eventually('zebra answers', asking, { timeoutMs: 120_000 })
    t.note(`zebra: ${evpn.numL2Vnis} L2VNIs, ${evpn.numL3Vnis} L3VNIs`)
    assert.deepEqual([evpn.numL2Vnis, evpn.numL3Vnis], [SEGMENTS, VRFS])
    const links = await node1.router.show('link')
    const count = (kind: string, prefix = '') =>
      links.filter(({ ifname, linkinfo }) => linkinfo?.info_kind === kind && (ifname as string).startsWith(prefix))
        .length
    const kinds = ['vrf', 'bridge', 'vxlan', 'vlan', 'veth'].map((kind) => `${count(kind)} ${kind}`)
    t.note(`links in the router: ${kinds.join(', ')}`)
    assert.deepEqual([count('vrf'), count('veth', 'pe-')], [VRFS, SEGMENTS])

    t.step('the sample passes traffic')
    for (const [at, number] of BRIDGED_SAMPLE.entries()) {
      const bridge = `br-hs-${BRIDGED + number}`
      await addWorkload(lab, node1, { name: `b1-${at}`, bridge, addresses: [`10.90.${at}.1/24`] })
      await addWorkload(lab, node2, { name: `b2-${at}`, bridge, addresses: [`10.90.${at}.2/24`] })
    }
    for (const [at, number] of ROUTED_SAMPLE.entries()) {
      const own = subnet(number)
      const far = farSubnet(number)
      const [here, there] = [`br-hs-${ROUTED + number}`, `br-hs-${OTHER_SIDE + number}`]
      const [w1, w2] = [`${own}.11/24`, `${far}.12/24`]
      await addWorkload(lab, node1, { name: `r1-${at}`, bridge: here, addresses: [w1], gateways: [`${own}.1`] })
      await addWorkload(lab, node2, { name: `r2-${at}`, bridge: there, addresses: [w2], gateways: [`${far}.1`] })
    }
    for (const at of BRIDGED_SAMPLE.keys()) await reaches(lab.ns(`b1-${at}`), [`10.90.${at}.2`], { ttl: 1 })
    for (const [at, number] of ROUTED_SAMPLE.entries()) {
      await reaches(lab.ns(`r1-${at}`), [`${farSubnet(number)}.12`])
      await reaches(lab.ns(`r2-${at}`), [`${subnet(number)}.11`])
    }
    t.note(`${SAMPLES} segments bridge, ${SAMPLES} VPNs route, ${seconds(began)} s after the start of the agent`)

    t.note(`zebra took ${await cpuSeconds(zebra)} s of CPU`)

    t.step('one more, and nothing more to do')
    const before = (await node1.agent.status()).counters
    const added = performance.now()
    await node1.writeConfig({ 'more.yaml': bridged(SEGMENTS) })
    await eventually(
      'it is Ready',
      async () => {
        const { resources } = await node1.agent.status()
        return resources.some(({ name, state }) => name === `b${SEGMENTS}` && state === 'Ready')
      },
      { everyMs: 50, timeoutMs: 120_000 },
    )
    const after = (await node1.agent.status()).counters
    const writes = after.netlinkWrites - before.netlinkWrites
    t.note(`one more VNI: Ready after ${Math.round(performance.now() - added)} ms, ${writes} writes to the kernel`)
    assert.ok(writes < 50, 'the cost of a change is that of the change')
    assert.deepEqual(await node1.routerFrr.pids(), daemons, 'no daemon of FRR was started again')
    t.note(`memory of the agent: ${await residentMiB(node1.agent.pid ?? 0)} MiB`)
    for (const [daemon, pid] of await node1.routerFrr.pids())
      t.note(`memory of ${daemon}: ${await residentMiB(pid)} MiB`)
  },
}

async function residentMiB(pid: number): Promise<number> {
  const kib = /^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kib) / 1024)
}

/** What a process has used up to now. */
async function cpuSeconds(pid: number): Promise<string> {
  // After the name in parentheses: utime and stime are fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms.
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) / 100).toFixed(0)
}
