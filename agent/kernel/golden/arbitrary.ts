/** Plans of every kind for property tests. */
import * as fc from 'fast-check'
import type { NodePlan, SegmentPlan, VrfPlan } from '../../../api/plan/node-plan.ts'
import type { DatapathShape, KernelObject, MachineFacts } from '../objects.ts'
import { knownPlaces } from '../shape/place.ts'
import { passthrough, plan, router, vrf, web } from './sample.ts'

export const FACTS = {
  nics: {
    eth1: { mtu: 1500, addresses: [{ address: '10.0.0.5/24', noPrefixRoute: false }], routes: [] },
    eth2: { mtu: 9000, addresses: [], routes: [{ destination: '172.16.0.0/16', metric: 0, gateway: '10.0.0.1' }] },
  },
  datapath: { shape: 'per-vni' },
} as const

/** As the kernel side does it: what is there stays where it is. */
export function facts(shape: DatapathShape, there: readonly KernelObject[] = []): MachineFacts {
  if (shape === 'per-vni') return FACTS
  return { ...FACTS, datapath: { shape, places: knownPlaces(there) } }
}

export const shapes = fc.constantFrom<DatapathShape>('single', 'per-vni')

const vrfs: fc.Arbitrary<readonly VrfPlan[]> = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom('red', 'blue', 'green'),
      vni: fc.constantFrom(100, 200, 300),
      table: fc.constantFrom(10100, 10200, 10300, 10400),
      session: fc.boolean(),
      host: fc.integer({ min: 2, max: 4 }),
      length: fc.constantFrom(24, 25),
    }),
    { selector: ({ name }) => name },
  )
  .filter(
    (rows) =>
      new Set(rows.map(({ vni }) => vni)).size === rows.length &&
      new Set(rows.map(({ table }) => table)).size === rows.length,
  )
  .map((rows) =>
    rows.map(({ name, vni, table, session, host, length }) => {
      const of = (n: number): string[] => [`10.${vni}.0.${n}/${length}`, `fd00:${vni}::${n}/64`]
      const { hostSession, ...rest } = vrf(name, vni, table, of(1), of(host))
      return session && hostSession !== undefined ? { ...rest, hostSession } : rest
    }),
  )

const segments = (names: readonly string[]): fc.Arbitrary<readonly SegmentPlan[]> =>
  fc
    .uniqueArray(
      fc.record({
        name: fc.constantFrom('web', 'db'),
        vni: fc.constantFrom(110, 120, 130),
        vrf: fc.option(fc.constantFrom(...names, 'none'), { nil: undefined }),
        gateways: fc.constantFrom([], ['10.9.0.1/24'], ['10.9.0.1/25', 'fd00:9::1/64'], ['fd00:9::1/64']),
        plugged: fc.boolean(),
        mtu: fc.option(fc.constantFrom(1300, 1400), { nil: undefined }),
        suppressARP: fc.boolean(),
      }),
      { selector: ({ vni }) => vni },
    )
    .map((rows) =>
      rows.map(({ name, vni, vrf: routing, gateways, plugged, mtu, suppressARP }) => ({
        ...web,
        for: { kind: 'L2VNI' as const, name },
        vni,
        gateways: routing === undefined || routing === 'none' ? [] : gateways,
        hostMaster: { type: 'LinuxBridge' as const, name: plugged ? `br-hs-${vni}` : 'br-shared', autoCreate: true },
        suppressARP,
        ...(mtu === undefined ? {} : { mtu }),
        ...(routing === undefined || routing === 'none' ? { vrf: undefined } : { vrf: routing }),
      })),
    )
    .map(
      (list) =>
        list.map(({ vrf: routing, ...rest }) =>
          routing === undefined ? rest : { ...rest, vrf: routing },
        ) as SegmentPlan[],
    )

export const plans: fc.Arbitrary<NodePlan> = vrfs.chain((some) =>
  fc
    .record({
      segments: segments(some.map(({ name }) => name)),
      interfaces: fc.subarray(['eth1', 'eth2']),
      vtep: fc.constantFrom('100.65.0.1', '100.65.0.2', 'fd00::1'),
      direct: fc.boolean(),
      none: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ segments: list, interfaces, vtep, direct, none }) =>
      none === 0
        ? { node: 'node1', vrfs: [], segments: [] }
        : plan({
            router: { ...router, interfaces, vteps: [vtep] },
            vrfs: some,
            segments: list,
            ...(direct ? { passthrough } : {}),
          }),
    ),
)
