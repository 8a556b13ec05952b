import test from 'ava'
import * as fc from 'fast-check'
import { desired } from './desired.ts'
import { diff } from './diff.ts'
import { FACTS, facts, plans, shapes } from './golden/arbitrary.ts'
import { plan, router, web, whole } from './golden/sample.ts'
import { SimulatedKernel } from './golden/simulated.ts'
import { isSetting, keyOf, linkKey, linksOf, type KernelObject, type LinkObject } from './objects.ts'
import type { Operation } from './operation.ts'

/** Which objects there are; how they are is the second difference's business. */
function shown(objects: readonly KernelObject[]): string[] {
  return objects
    .filter((object) => !isSetting(object) && !(object.type === 'link' && object.kind === 'loopback'))
    .map(keyOf)
    .toSorted()
}

test('what is there already takes no operation', (t) => {
  fc.assert(
    fc.property(plans, shapes, (one, shape) => {
      const first = desired(one, facts(shape))
      const want = desired(one, facts(shape, first))
      t.deepEqual(want, first)
      t.deepEqual(diff(want, new SimulatedKernel(want).observed), [])
    }),
  )
})

test('doing the difference leads from any plan to any other, and from shape to shape, in one go', (t) => {
  fc.assert(
    fc.property(plans, plans, shapes, shapes, (from, to, before, after) => {
      const kernel = new SimulatedKernel(desired(from, facts(before)))
      const want = desired(to, facts(after, kernel.objects))
      for (const operation of diff(want, kernel.observed)) kernel.do(operation)
      t.deepEqual(diff(want, kernel.observed), [])
      t.deepEqual(shown(kernel.objects), shown(want))
    }),
    { numRuns: 300, includeErrorInReport: true },
  )
})

test('objects that others have deleted come back, wherever that leaves the rest', (t) => {
  fc.assert(
    fc.property(plans, fc.nat(), shapes, (one, seed, shape) => {
      const kept = (key: string): boolean =>
        [...key].reduce((hash, char) => (hash * 31 + char.charCodeAt(0)) >>> 0, seed) % 5 > 1
      const want = desired(one, facts(shape))
      const kernel = new SimulatedKernel(consistent(want.filter((object) => kept(keyOf(object)))))
      for (const operation of diff(want, kernel.observed)) kernel.do(operation)
      t.deepEqual(diff(want, kernel.observed), [])
    }),
  )
})

test('whatever is missing of VLANs, and whatever else is on the shards, comes to what is wanted', (t) => {
  const part = fc.record({ port: fc.boolean(), tunnel: fc.boolean(), filter: fc.boolean(), self: fc.boolean() })
  const stray = fc.constantFrom([2, 0], [9, 0], [0, 777], [9, 777], [3, 110], [0, 100])
  fc.assert(
    fc.property(plans, fc.array(part, { minLength: 4, maxLength: 4 }), fc.array(stray), (one, parts, strays) => {
      const want = desired(one, facts('single'))
      let at = 0
      const spoilt = want.map((object) =>
        object.type === 'vlan' ? { ...object, ...parts[at++ % 4], macs: [] } : object,
      )
      const [shard] = want.filter((object) => object.type === 'vlan')
      const added =
        shard === undefined
          ? []
          : strays.map(([vid = 0, vni = 0]) => ({
              ...shard,
              vid,
              vni,
              port: vid > 0,
              tunnel: vid > 0 && vni > 0,
              filter: vni > 0,
              self: false,
              macs: [],
            }))
      const there = spoilt.filter((object) => object.type !== 'vlan' || object.port || object.filter)
      const kernel = new SimulatedKernel(possible([...there, ...added]))
      const now = desired(one, facts('single', kernel.objects))
      for (const operation of diff(now, kernel.observed)) kernel.do(operation)
      t.deepEqual(diff(now, kernel.observed), [])
      t.deepEqual(shown(kernel.objects), shown(now))
    }),
    { numRuns: 300 },
  )
})

/** One VNI a VLAN and one VLAN a VNI, as it is observed. */
function possible(objects: readonly KernelObject[]): KernelObject[] {
  const seen = new Set<string>()
  return objects.filter((object) => {
    if (object.type !== 'vlan') return true
    const claims = [
      ...(object.vid > 0 ? [`${object.bridge} ${object.vid}`] : []),
      ...(object.vni > 0 ? [`${object.vni}`] : []),
    ]
    if (claims.some((claim) => seen.has(claim))) return false
    for (const claim of claims) seen.add(claim)
    return true
  })
}

/** A kernel has nothing on a link that is not there; a port without its bridge is free, a veth has two ends. */
function consistent(objects: readonly KernelObject[]): KernelObject[] {
  const keys = new Set(objects.map(keyOf))
  return objects
    .flatMap((object): KernelObject[] => {
      if (object.type !== 'link')
        return linksOf(object).every((name) => keys.has(linkKey(object.namespace, name))) ? [object] : []
      if (object.kind === 'vlan' && !keys.has(linkKey(object.namespace, object.parent))) return []
      if (object.kind === 'veth' && !keys.has(linkKey(object.peer.namespace, object.peer.name))) return []
      const { master, ...free } = object
      return master === undefined || keys.has(linkKey(object.namespace, master)) ? [object] : [free]
    })
    .filter(
      (object, _, all) =>
        object.type === 'link' ||
        isSetting(object) ||
        linksOf(object).every((name) => all.some((link) => keyOf(link) === linkKey(object.namespace, name))),
    )
}

test('links are made down before FRR is told, raised after it, and deleted when it has let go', (t) => {
  const empty = new SimulatedKernel([]).observed
  const operations = diff(desired(whole, FACTS), empty)
  const texts = (stage: string): string[] =>
    operations.filter((operation) => operation.stage === stage).map(({ text }) => text)
  const before = texts('create')
  t.true(before.indexOf('create vrf red in router') < before.indexOf('create bridge br100 in router'))
  t.true(before.indexOf('create bridge br100 in router') < before.indexOf('create vxlan vx100 in router'))
  t.true(before.every((text) => !/veth|raise (vrf|vxlan|bridge)/.test(text)))
  const after = texts('raise')
  t.true(after.indexOf('raise vxlan vx100 in router') < after.indexOf('create veth pe-100 in router'))
  t.deepEqual(texts('remove'), [])
  const away = diff([], new SimulatedKernel(desired(whole, FACTS)).observed)
  t.deepEqual(
    away.filter(({ stage }) => stage !== 'remove').map(({ text }) => text),
    [],
  )
})

test("a veth's end on the host is made last and up, so that it has a carrier from the beginning", (t) => {
  const texts = diff(desired(whole, FACTS), new SimulatedKernel([]).observed).map(({ text }) => text)
  const found = texts.filter((text) => /^(create|raise) veth (pe|host)-100 /.test(text))
  t.deepEqual(found, ['create veth pe-100 in router', 'create veth host-100 in host'])
})

test('a shard is up before its VLANs, and its ports when the ends on the host are', (t) => {
  const texts = diff(desired(whole, facts('single')), new SimulatedKernel([]).observed).map(({ text }) => text)
  const at = (text: RegExp): readonly number[] => texts.flatMap((found, place) => (text.test(found) ? [place] : []))
  const [shards, vlans, svis] = [at(/^raise (bridge|vxlan) nl(br|vx)/), at(/^create VNI/), at(/^raise vlan svi/)]
  const [ends, ports] = [at(/^create veth host-\d+ in host/), at(/^raise veth pe-\d+ in router/)]
  for (const found of [shards, vlans, svis, ends, ports]) t.true(found.length > 0, texts.join('\n'))
  t.true(Math.max(...shards) < Math.min(...vlans))
  t.true(Math.max(...vlans) < Math.min(...svis))
  t.true(Math.max(...ends) < Math.min(...ports))
})

test('a shard that goes is down before its ports leave; one that stays is left alone', (t) => {
  const kernel = new SimulatedKernel(desired(whole, facts('single')))
  const remaining = plan({ vrfs: whole.vrfs })
  const some = diff(desired(remaining, facts('single', kernel.objects)), kernel.observed)
  const lowered = (operations: readonly Operation[]): string[] =>
    operations
      .filter(({ do: what, stage }) => what === 'lower' && stage === 'remove')
      .map(({ object }) => keyOf(object))
  t.deepEqual(
    lowered(some),
    ['nlbr0', 'nlvx0', 'nlbr2', 'nlvx2'].map((name) => `link router ${name}`),
  )
  const operations = diff(desired(plan({}), facts('single', kernel.objects)), kernel.observed)
  const shards = kernel.objects.flatMap((object) => (/ nl(br|vx)\d$/.test(keyOf(object)) ? [keyOf(object)] : []))
  t.deepEqual(lowered(operations).toSorted(), shards.toSorted())
  const first = operations.findIndex((operation) => operation.do === 'delete' && operation.stage === 'remove')
  t.true(operations.findLastIndex((operation) => operation.do === 'lower') < first)
  const ofKind = (kind: string): number[] =>
    operations.flatMap(({ object }, at) => (object.type === 'link' && object.kind === kind ? [at] : []))
  t.true(Math.max(...ofKind('vlan')) < Math.min(...ofKind('veth')), 'a port that leaves has the bridge tell all SVIs')
  for (const operation of operations) kernel.do(operation)
  t.deepEqual(diff(desired(plan({}), facts('single', kernel.objects)), kernel.observed), [])
})

test('what was lowered on its way out and is wanted again is raised', (t) => {
  const want = desired(whole, facts('single'))
  const kernel = new SimulatedKernel(want)
  for (const operation of diff([], kernel.observed)) if (operation.do === 'lower') kernel.do(operation)
  const operations = diff(want, kernel.observed)
  t.true(operations.length > 0)
  t.true(operations.every((operation) => operation.do === 'raise'))
  for (const operation of operations) kernel.do(operation)
  t.deepEqual(diff(want, kernel.observed), [])
})

test('a bridge that moves to another VRF is down from before FRR hears of it until it has moved', (t) => {
  const kernel = new SimulatedKernel(desired(whole, FACTS))
  const moved = {
    ...whole,
    vrfs: whole.vrfs.map((each) => (each.name === 'red' ? { ...each, name: 'crimson' } : each)),
    segments: whole.segments.map((segment) => (segment.vrf === 'red' ? { ...segment, vrf: 'crimson' } : segment)),
  }
  const operations = diff(desired(moved, FACTS), kernel.observed)
  const of = (text: string): string[] => operations.filter((each) => each.text === text).map(({ stage }) => stage)
  t.deepEqual(of('lower bridge br100 in router'), ['create'])
  t.deepEqual(of('change bridge br100 in router'), ['raise'])
  t.deepEqual(of('raise bridge br100 in router'), ['raise'])
  for (const operation of operations) kernel.do(operation)
  t.deepEqual(diff(desired(moved, FACTS), kernel.observed), [])
})

test('a link that serves another resource is kept and renamed in its alias', (t) => {
  const kernel = new SimulatedKernel(desired(plan({ segments: [web] }), FACTS))
  const other = plan({ segments: [{ ...web, for: { kind: 'L2VNI', name: 'shop' } }] })
  const operations = diff(desired(other, FACTS), kernel.observed)
  t.true(
    operations.length > 0 &&
      operations.every((operation) => operation.do === 'change' && operation.object.type === 'link'),
  )
})

test('a foreign link of the name, a missing NIC and a missing bridge are refused with the remedy', (t) => {
  const want = desired(
    plan({ segments: [{ ...web, hostMaster: { type: 'LinuxBridge', name: 'br-user', autoCreate: false } }] }),
    { nics: {}, datapath: { shape: 'per-vni' } },
  )
  const have = { objects: [], moving: [], foreign: [{ namespace: 'router', name: 'br110', kind: 'dummy' } as const] }
  const refused = diff(want, have).flatMap(({ text, refused: why }) => (why === undefined ? [] : [[text, why.reason]]))
  t.deepEqual(refused, [
    ['create bridge br110 in router', 'NameTaken'],
    ['bring NIC eth1 into the router', 'NicMissing'],
    ['change veth host-110 in host', 'MasterMissing'],
  ])
})

test('a VXLAN device follows its VTEP in place, but for another family', (t) => {
  const at = (vtep: string): readonly KernelObject[] =>
    desired(plan({ router: { ...router, vteps: [vtep] }, segments: [web] }), FACTS)
  const vxlans = (to: string): string[] =>
    diff(at(to), new SimulatedKernel(at('100.65.0.1')).observed).flatMap((operation) =>
      (operation.object as LinkObject).kind === 'vxlan' ? [operation.do] : [],
    )
  t.deepEqual(vxlans('100.65.0.7'), ['change'])
  t.deepEqual(vxlans('fd00::7'), ['delete', 'create', 'raise'])
})
