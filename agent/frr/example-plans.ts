/** Plans for tests, one for each way that FRR's configuration can look; the golden files are named after them. */
import type {
  BfdPlan,
  HostSessionPlan,
  NeighborPlan,
  NodePlan,
  RouterPlan,
  SegmentPlan,
  VrfPlan,
} from '../../api/plan/node-plan.ts'

const underlay = { kind: 'Underlay', name: 'fabric' } as const
const all = { prefixes: [] }

function neighbor(peer: NeighborPlan['peer'], more: Partial<NeighborPlan> = {}): NeighborPlan {
  return {
    peer,
    remoteAS: 'external',
    connectSeconds: 5,
    ebgpMultiHop: false,
    families: ['IPv4Unicast', 'L2VPNEVPN'],
    routeReflectorClient: false,
    allowASIn: true,
    ...more,
  }
}

const tor = neighbor({ type: 'address', address: '192.168.10.1' })

function router(more: Partial<RouterPlan> = {}): RouterPlan {
  return {
    for: underlay,
    asn: 64514,
    routerID: '100.65.0.1',
    vteps: ['100.65.0.1'],
    vtepPools: ['100.65.0.0/24'],
    routerMAC: '02:6e:64:41:00:01',
    interfaces: ['eth1'],
    neighbors: [tor],
    gracefulRestart: { restartTimeSeconds: 120, stalePathTimeSeconds: 360 },
    maximumPaths: 64,
    multipathRelax: true,
    ...more,
  }
}

function withoutRestart(of: RouterPlan): RouterPlan {
  return Object.fromEntries(
    Object.entries(of).filter(([field]) => field !== 'gracefulRestart'),
  ) as unknown as RouterPlan
}

function session(of: HostSessionPlan['for'], third: number, more: Partial<HostSessionPlan> = {}): HostSessionPlan {
  return {
    for: of,
    asn: 64514,
    remoteAS: 64515,
    connectSeconds: 5,
    routerAddresses: [`192.169.${third}.1/24`, `fd00:c9:${third}::1/64`],
    hostAddresses: [`192.169.${third}.2/24`, `fd00:c9:${third}::2/64`],
    fromHost: all,
    toHost: all,
    allowDefault: false,
    ...more,
  }
}

function l3(name: string, vni: number, third: number, more: Partial<HostSessionPlan> = {}): VrfPlan {
  const of = { kind: 'L3VNI', name } as const
  return {
    for: of,
    name,
    table: 10000 + vni,
    l3vni: { vni, importTargets: [], exportTargets: [] },
    hostSession: session(of, third, more),
  }
}

function segment(vni: number, more: Partial<SegmentPlan> = {}): SegmentPlan {
  return {
    for: { kind: 'L2VNI', name: `net-${vni}` },
    vni,
    gateways: [],
    gatewayMAC: '02:6e:6c:00:00:6e',
    suppressARP: true,
    importTargets: [],
    exportTargets: [],
    ...more,
  }
}

function node(more: Partial<NodePlan> = {}): NodePlan {
  return { node: 'node1', router: router(), vrfs: [], segments: [], ...more }
}

const red = l3('red', 100, 10)
const blue = l3('blue', 200, 20)
const fastBfd: BfdPlan = { receiveIntervalMs: 100, transmitIntervalMs: 150, detectMultiplier: 4, passive: false }
const plainBfd: BfdPlan = { receiveIntervalMs: 300, transmitIntervalMs: 300, detectMultiplier: 3, passive: false }

export const examplePlans: Readonly<Record<string, NodePlan>> = {
  'no underlay': { node: 'node1', vrfs: [], segments: [] },
  'underlay alone': node(),
  'underlay with everything on a neighbor': node({
    router: router({
      gracefulRestart: { restartTimeSeconds: 200, stalePathTimeSeconds: 400 },
      neighbors: [
        neighbor(
          { type: 'address', address: '192.168.10.1' },
          {
            remoteAS: 64601,
            timers: { keepaliveSeconds: 3, holdSeconds: 9 },
            password: 'fabric-secret',
            bfd: { ...fastBfd, passive: true, minimumTTL: 200 },
            port: 1179,
            ebgpMultiHop: true,
          },
        ),
        neighbor(
          { type: 'address', address: 'fd00:10::1' },
          { remoteAS: 64602, families: ['IPv4Unicast', 'IPv6Unicast', 'L2VPNEVPN'], bfd: plainBfd },
        ),
      ],
    }),
  }),
  'defaults are not written': node({
    router: router({
      neighbors: [
        neighbor(
          { type: 'address', address: '192.168.10.1' },
          {
            timers: { keepaliveSeconds: 60, holdSeconds: 180 },
            connectSeconds: 120,
            port: 179,
            allowASIn: false,
            bfd: { ...plainBfd, minimumTTL: 254 },
          },
        ),
      ],
    }),
  }),
  'graceful restart and multipath off': node({
    router: withoutRestart(router({ multipathRelax: false, maximumPaths: 1 })),
  }),
  'unnumbered neighbor': node({
    router: router({ neighbors: [neighbor({ type: 'interface', interface: 'eth1' })] }),
  }),
  'listen ranges': node({
    router: router({
      neighbors: [
        neighbor({ type: 'range', prefix: '192.168.10.0/24' }, { password: 'range-secret', bfd: fastBfd }),
        neighbor({ type: 'range', prefix: 'fd00:10::/64' }, { remoteAS: 64601 }),
      ],
    }),
  }),
  'iBGP fabric with a reflector client': node({
    router: router({
      neighbors: [
        neighbor(
          { type: 'address', address: '192.168.10.1' },
          { remoteAS: 'internal', routeReflectorClient: true, allowASIn: false },
        ),
        neighbor({ type: 'address', address: '192.168.20.1' }, { remoteAS: 64514, allowASIn: false }),
      ],
    }),
  }),
  'two VPNs': node({ vrfs: [blue, red] }),
  'red alone': node({ vrfs: [red] }),
  'red under another VNI': node({ vrfs: [l3('red', 101, 10)] }),
  'red with another ASN': node({ vrfs: [l3('red', 100, 10, { asn: 64520 })] }),
  'red from another subnet': node({ vrfs: [l3('red', 100, 11)] }),
  'another ASN everywhere': node({
    router: router({ asn: 4200000001 }),
    vrfs: [blue, l3('red', 100, 10, { asn: 4200000001 })],
  }),
  'iBGP host session': node({ vrfs: [l3('red', 100, 10, { remoteAS: 'internal' })] }),
  'host session with policies': node({
    vrfs: [
      l3('red', 100, 10, {
        timers: { keepaliveSeconds: 1, holdSeconds: 3 },
        password: 'host-secret',
        bfd: fastBfd,
        fromHost: {
          prefixes: [
            { cidr: '10.1.0.0/16', ge: 24, le: 32, action: 'Permit' },
            { cidr: 'fd00:1::/32', le: 128, action: 'Permit' },
          ],
          maxPrefixes: 100,
        },
        toHost: {
          prefixes: [
            { cidr: '10.99.0.0/16', le: 32, action: 'Deny' },
            { cidr: '10.0.0.0/8', le: 32, action: 'Permit' },
          ],
        },
      }),
    ],
  }),
  'default route from the host': node({ vrfs: [l3('red', 100, 10, { allowDefault: true })] }),
  'own route targets': node({
    vrfs: [
      {
        ...red,
        l3vni: {
          vni: 100,
          routeDistinguisher: '100.65.0.1:100',
          importTargets: ['*:1000', '64514:100', '64600:77'],
          exportTargets: ['10.0.0.1:5', '64514:100'],
        },
      },
    ],
    segments: [
      segment(110, {
        vrf: 'red',
        gateways: ['10.110.0.1/24', 'fd00:110::1/64'],
        routeDistinguisher: '100.65.0.1:110',
        importTargets: ['64514:110', '64600:110'],
        exportTargets: ['64600:110'],
      }),
      segment(111, { importTargets: ['64514:111'] }),
    ],
  }),
  'gateways in a VPN and in a local VRF': node({
    vrfs: [{ for: { kind: 'L2VNI', name: 'net-120' }, name: 'local', table: 12000 }, red],
    segments: [
      segment(110, { vrf: 'red', gateways: ['10.110.0.1/24', 'fd00:110::1/64'] }),
      segment(120, { vrf: 'local', gateways: ['10.120.0.1/24'] }),
      segment(300),
    ],
  }),
  passthrough: node({ passthrough: session({ kind: 'L3Passthrough', name: 'direct' }, 30) }),
  'passthrough with another ASN': node({
    passthrough: session({ kind: 'L3Passthrough', name: 'direct' }, 30, { asn: 64999 }),
    vrfs: [red],
  }),
}
