import test from 'ava'
import { making, removing, without } from './batch.ts'
import { kernelObjects } from './contestant.ts'
import type { Shape } from './sample.ts'
import { nodePlan } from './workload.ts'

const linesFor = (n: number, shape: Shape): string[] => {
  const { overlay, ports } = making(without(kernelObjects(nodePlan(n), shape), kernelObjects(nodePlan(0), shape)), 42)
  return [...overlay, ...ports].flatMap(({ tool, namespace, lines }) =>
    lines.map((line) => `${tool} ${namespace}: ${line}`),
  )
}

test('per-vni: a bridge, a VXLAN device and a veth for each VNI, and the VRF first', (t) => {
  const lines = linesFor(10, 'per-vni')
  t.regex(lines[0] ?? '', /^ip router: link add name t0 up type vrf table \d+$/)
  for (const kind of ['bridge', 'vxlan id', 'veth'])
    t.is(lines.filter((line) => line.includes('link add') && line.includes(`type ${kind}`)).length, 10, kind)
  t.true(lines.includes('ip router: link set vx1005 type bridge_slave learning off neigh_suppress on vlan_tunnel off'))
  t.true(lines.includes('ip router: addr add 10.0.1.1/24 dev br1002'))
  t.true(lines.includes('ip host: link set host-1005 up'))
  t.true(lines.some((line) => line.endsWith('type veth peer name host-1005 mtu 1450 netns 42')))
  // What closes VRFs is there with the Underlay.
  t.deepEqual(
    lines.filter((line) => /: (route|rule) /.test(line)),
    [],
  )
})

test('single: VLANs, tunnels and VNIs of a shard are ranges, and ports have theirs', (t) => {
  const lines = linesFor(10, 'single').filter((line) => line.startsWith('bridge router: '))
  const of = (pattern: RegExp) => lines.filter((line) => pattern.test(line))
  // Of ten VNIs one is an L3VNI, which has a shard of its own.
  t.is(of(/vlan add dev nlvx\d+ vid [-\d]+$/).length, 2)
  t.is(of(/vlan add dev nlvx\d+ vid \d+-\d+ tunnel_info id 1002-1010$/).length, 1)
  t.is(of(/vni add dev nlvx\d+ vni 1002-1010$/).length, 1)
  t.is(of(/vlan add dev pe-\d+ vid \d+ pvid untagged$/).length, 9)
  t.is(of(/vlan add dev nlbr\d+ vid \d+(-\d+)? self$/).length, 2)
})

test('what comes goes: each link is deleted once, and no other', (t) => {
  for (const shape of ['single', 'per-vni'] as const) {
    const objects = without(kernelObjects(nodePlan(20), shape), kernelObjects(nodePlan(0), shape))
    const { overlay, ports } = making(objects, 42)
    const all = (batches: typeof overlay) => batches.flatMap(({ lines }) => lines)
    const made = all([...overlay, ...ports]).flatMap((line) => /^link add name (\S+)/.exec(line)?.[1] ?? [])
    const gone = all(removing(objects)).flatMap((line) => /^link del (\S+)/.exec(line)?.[1] ?? [])
    t.deepEqual(gone.toSorted(), made.toSorted(), shape)
  }
})

test('one more VNI in a shard is one more VLAN and no shard; it goes without the shard', (t) => {
  const [before, after] = [kernelObjects(nodePlan(20), 'single'), kernelObjects(nodePlan(20, { extra: 0 }), 'single')]
  const come = making(without(after, before), 42)
  const lines = [...come.overlay, ...come.ports].flatMap((batch) => batch.lines)
  t.false(lines.some((line) => /type (bridge|vxlan)/.test(line)))
  t.true(lines.some((line) => /^vni add dev nlvx\d+ vni 9001$/.test(line)))
  const go = removing(without(after, before)).flatMap((batch) => batch.lines)
  t.true(go.some((line) => /^vni del dev nlvx\d+ vni 9001$/.test(line)))
  t.false(go.some((line) => /link del nl/.test(line)))
})

test('another gateway is one address more and one less', (t) => {
  const [one, other] = ([0, 1] as const).map((extra) => kernelObjects(nodePlan(20, { extra }), 'per-vni'))
  const come = making(without(other ?? [], one ?? []), 42)
  t.deepEqual(
    [...come.overlay, ...come.ports].flatMap(({ lines }) => lines),
    ['addr add 10.200.1.1/24 dev br9001'],
  )
  t.deepEqual(
    removing(without(one ?? [], other ?? [])).flatMap(({ lines }) => lines),
    ['addr del 10.200.0.1/24 dev br9001'],
  )
})
