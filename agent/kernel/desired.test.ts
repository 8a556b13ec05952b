import test from 'ava'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { desired } from './desired.ts'
import { blue, empty, passthrough, plain, plan, red, router, web, whole } from './golden/sample.ts'
import { keyOf, type MachineFacts } from './objects.ts'
import { unsupported } from './unsupported.ts'

const FACTS: MachineFacts = {
  nics: {
    eth1: {
      mtu: 9000,
      addresses: [{ address: '192.168.10.11/24', noPrefixRoute: false }],
      routes: [{ destination: '172.16.0.0/16', metric: 0, gateway: '192.168.10.1' }],
    },
  },
  datapath: { shape: 'per-vni' },
}

/** Without what every plan has alike. */
function golden(wanted: NodePlan, facts: MachineFacts): string {
  return stringify(desired(wanted, facts).filter((object) => object.type !== 'sysctl'))
}

const SINGLE: MachineFacts = { ...FACTS, datapath: { shape: 'single', places: new Map() } }

/** NODELEAF_GOLDEN=write writes them anew. */
for (const [name, wanted] of Object.entries({
  underlay: plan({}),
  l3vni: plan({ vrfs: [red] }),
  'l2vni-gateway': plan({ vrfs: [red], segments: [web] }),
  'l2vni-plain': plan({ segments: [plain] }),
  passthrough: plan({ passthrough }),
})) {
  const tunnelled = wanted.vrfs.length + wanted.segments.length > 0
  for (const facts of tunnelled ? [FACTS, SINGLE] : [FACTS]) {
    const file = facts === FACTS ? `${name}.yaml` : `${name}-single.yaml`
    test(`the golden objects of ${file}`, (t) => {
      const path = join(import.meta.dirname, 'golden', file)
      const text = golden(wanted, facts)
      if (process.env['NODELEAF_GOLDEN'] === 'write') writeFileSync(path, text)
      t.true(existsSync(path))
      t.is(text, readFileSync(path, 'utf8'))
    })
  }
}

test('a plan without a router needs nothing', (t) => {
  t.deepEqual(desired(empty, FACTS), [])
})

test('every object is there once', (t) => {
  const keys = desired({ ...whole, segments: [web, { ...plain, hostMaster: web.hostMaster! }] }, FACTS).map(keyOf)
  t.deepEqual(keys.length, new Set(keys).size)
})

const mtus = (wanted: NodePlan, facts: MachineFacts = FACTS): Record<string, number> =>
  Object.fromEntries(
    desired(wanted, facts).flatMap((object): [string, number][] =>
      object.type === 'link' && object.mtu !== undefined ? [[object.name, object.mtu]] : [],
    ),
  )

test('the overlay gets what the tunnel leaves of the underlay', (t) => {
  t.like(mtus(plan({ vrfs: [red] })), { eth1: 9000, br100: 8950, vx100: 8950, 'pe-100': 8950, 'host-100': 8950 })
  t.is(mtus(plan({ vrfs: [red], router: { ...router, vteps: ['fd00::1'] } }))['vx100'], 8930)
  t.is(mtus(plan({ vrfs: [red] }), { nics: {}, datapath: { shape: 'per-vni' } })['vx100'], 1450)
  t.like(mtus(plan({ vrfs: [red], passthrough, router: { ...router, mtu: 1600 } })), {
    eth1: 1600,
    vx100: 1550,
    'pe-pt': 1600,
  })
})

test('a resource may set its own MTU, which holds for its host bridge too', (t) => {
  const segments = [{ ...web, mtu: 1400 }]
  const own = plan({ vrfs: [blue, { ...red, l3vni: { ...red.l3vni!, mtu: 1300 } }], segments })
  t.like(mtus(own), { vx200: 8950, vx100: 1300, 'host-100': 1300, vx110: 1400, 'br-hs-110': 1400, 'host-110': 1400 })
})

test('a shard has the MTU of the largest of its VNIs, what is plugged in and routed its own', (t) => {
  const segments = [{ ...web, mtu: 1400 }, { ...web, vni: 111, mtu: 1300 }, plain]
  t.like(mtus(plan({ vrfs: [red], segments }), SINGLE), {
    nlbr0: 1400,
    nlvx0: 1400,
    svi110: 1400,
    svi111: 1300,
    'pe-111': 1300,
    nlbr1: 8950,
    nlbr2: 8950,
  })
})

test('L3VNIs, and segments that flood ARP, are on bridges of their own', (t) => {
  const objects = desired(plan({ vrfs: [blue, red], segments: [web, plain] }), SINGLE)
  const bridges = objects.flatMap((object) => (object.type === 'vlan' ? [[object.vni, object.bridge]] : []))
  t.deepEqual(Object.fromEntries(bridges), { 100: 'nlbr1', 200: 'nlbr1', 110: 'nlbr0', 300: 'nlbr2' })
  const suppress = objects.flatMap((object) =>
    object.type === 'link' && object.kind === 'vxlan' ? [[object.name, object.bridgePort.neighSuppress]] : [],
  )
  t.deepEqual(Object.fromEntries(suppress), { nlvx0: true, nlvx1: true, nlvx2: false })
})

test('a segment that is not routed has no SVI, and its bridge is in no VLAN of it', (t) => {
  const objects = desired(plan({ vrfs: [red], segments: [{ ...web, gateways: [] }, plain] }), SINGLE)
  const selves = objects.flatMap((object) => (object.type === 'vlan' ? [[object.vni, object.self, object.macs]] : []))
  t.deepEqual(selves, [
    [100, true, []],
    [110, true, []],
    [300, false, []],
  ])
  t.false(objects.some((object) => object.type === 'link' && object.name === 'svi300'))
})

test('VRFs are closed in both families', (t) => {
  const closing = desired(whole, FACTS).filter((object) => object.type === 'rule' && object.purpose === 'closing')
  t.deepEqual(closing.map(keyOf), ['rule router closing 4', 'rule router closing 6'])
})

test('names fit the kernel and no sysctl is the host’s', (t) => {
  const big = plan({
    segments: [{ ...web, vni: 16777215, hostMaster: { ...web.hostMaster!, name: 'br-hs-16777215' } }],
  })
  for (const object of desired(big, FACTS)) {
    if (object.type === 'link') t.true(object.name.length <= 15, object.name)
    if (object.type === 'sysctl') t.is(object.namespace, 'router')
  }
})

test('an Open vSwitch bridge is said to be unsupported; the rest of the segment is wanted', (t) => {
  const wanted = plan({ segments: [{ ...plain, hostMaster: { type: 'OVSBridge', name: 'ovs0', autoCreate: false } }] })
  t.regex(unsupported(wanted)[0]?.message ?? '', /ovs-vsctl add-port ovs0 host-300/)
  t.true(
    desired(wanted, FACTS).some(
      (object) => object.type === 'link' && object.name === 'host-300' && object.master === undefined,
    ),
  )
})
