/**
 * Specs that are good, and specs that are bad with the fields to blame: what nodeleaf's own check says of files, and what
 * an API server with the CRDs says, is held against the same table.
 */

const session = { localCIDR: { ipv4: '192.169.10.0/24' } }
const neighbor = { address: '192.168.10.1', type: 'External' }

/** A good spec of each kind; the others are told by how they differ from it. */
export const base: Readonly<Record<string, Record<string, unknown>>> = {
  Underlay: { asn: 64514, vtep: { cidrs: ['100.65.0.0/24'] }, neighbors: [neighbor] },
  L3VNI: { vni: 100, vrf: 'red' },
  L2VNI: { vni: 110 },
  L3Passthrough: { hostSession: { ...session, hostASN: 64515 } },
  RouterNode: { index: 0 },
}

export const good: readonly [string, Record<string, unknown>][] = [
  ...Object.keys(base).map((name): [string, Record<string, unknown>] => [name, {}]),
  ['Underlay', { asn: 4294967295, interfaces: [], routerIDCIDR: '10.0.0.0/24', vtep: { cidrs: ['fd00:65::/64'] } }],
  ['Underlay', { vtep: { cidrs: ['100.65.0.0/24', 'fd00:65::/64'] } }],
  ['Underlay', { routerIDCIDR: '10.0.0.0/24', vtep: undefined }],
  ['Underlay', { neighbors: [{ interface: 'eth1', type: 'Internal', routeReflectorClient: true }] }],
  ['Underlay', { neighbors: [{ listenRange: '10.0.0.0/8', asn: 64601, holdTime: 0, keepaliveTime: 0 }] }],
  [
    'Underlay',
    { neighbors: [{ ...neighbor, holdTime: 3, keepaliveTime: 1, bfd: {}, port: 1179, ebgpMultiHop: true }] },
  ],
  ['Underlay', { neighbors: [{ address: 'fd00::1', asn: 64514, routeReflectorClient: true }] }],
  [
    'L3VNI',
    {
      hostSession: { ...session, hostType: 'Internal' },
      exportPolicy: { prefixes: [{ cidr: '10.0.0.0/8', ge: 8, le: 32 }] },
    },
  ],
  ['L3VNI', { hostSession: { hostASN: 1, localCIDR: { ipv6: 'fd00::/64' } } }],
  ['L3VNI', { routeTargets: { import: ['*:100', '64514:4294967295', '192.0.2.1:65535', '4200000000:1'] } }],
  ['L3VNI', { nodeSelector: { matchExpressions: [{ key: 'rack', operator: 'Exists' }] } }],
  ['L2VNI', { vrf: 'red', gatewayIPs: ['10.110.0.1/24', 'fd00:110::1/64'] }],
  ['RouterNode', { addresses: {} }],
  [
    'RouterNode',
    {
      addresses: {
        vteps: ['100.65.0.1', 'fd00:65::1'],
        routerID: '100.65.0.1',
        hostSessions: [{ addresses: ['10.0.0.2/24'] }, { vrf: 'red', addresses: ['192.169.10.2/24'] }],
      },
    },
  ],
  ['L2VNI', { vrf: 'red', gatewayIPs: ['10.110.0.0/31'] }],
  ['L2VNI', { routeTargets: { import: ['64514:110', '64600:110'], export: ['64600:110'] } }],
  ['L2VNI', { routeTargets: { export: ['64600:110'] } }],
  ['L2VNI', { hostMaster: { type: 'LinuxBridge', autoCreate: true } }],
  ['L2VNI', { hostMaster: { type: 'OVSBridge', name: 'br-ex' } }],
  ['L2VNI', { hostMaster: { type: 'LinuxBridge', name: 'br-hs-110' } }],
]

/** Kind, difference, fields to blame: what the schema or a rule of the CRD refuses. */
export const bad: readonly [string, Record<string, unknown>, ...string[]][] = [
  ['Underlay', { asn: 0 }, 'spec.asn'],
  ['Underlay', { asn: '64514' }, 'spec.asn'],
  ['Underlay', { neighbors: [] }, 'spec.neighbors'],
  ['Underlay', { vtep: undefined }, 'spec.routerIDCIDR'],
  ['Underlay', { vtep: { cidrs: ['fd00::/64'] } }, 'spec.routerIDCIDR'],
  ['Underlay', { vtep: { cidrs: ['100.65.0.0/24', '100.66.0.0/24'] } }, 'spec.vtep.cidrs'],
  ['Underlay', { routerIDCIDR: 'fd00::/64' }, 'spec.routerIDCIDR'],
  ['Underlay', { interfaces: [{ name: 'eth1' }, { name: 'eth1' }] }, 'spec.interfaces[1]'],
  ['Underlay', { interfaces: [{ name: 'sixteencharacter' }] }, 'spec.interfaces[0].name'],
  ['Underlay', { mtu: 1000 }, 'spec.mtu'],
  ['Underlay', { neighbors: [{ type: 'External' }] }, 'spec.neighbors[0]'],
  ['Underlay', { neighbors: [{ ...neighbor, interface: 'eth1' }] }, 'spec.neighbors[0]'],
  ['Underlay', { neighbors: [{ ...neighbor, asn: 64601 }] }, 'spec.neighbors[0]'],
  ['Underlay', { neighbors: [{ address: '192.168.10.1' }] }, 'spec.neighbors[0]'],
  ['Underlay', { neighbors: [{ ...neighbor, holdTime: 90 }] }, 'spec.neighbors[0].holdTime'],
  ['Underlay', { neighbors: [{ ...neighbor, keepaliveTime: 30 }] }, 'spec.neighbors[0].holdTime'],
  ['Underlay', { neighbors: [{ ...neighbor, holdTime: 2, keepaliveTime: 1 }] }, 'spec.neighbors[0].holdTime'],
  ['Underlay', { neighbors: [{ ...neighbor, holdTime: 9, keepaliveTime: 10 }] }, 'spec.neighbors[0].keepaliveTime'],
  ['Underlay', { neighbors: [{ ...neighbor, holdTime: 9, keepaliveTime: 0 }] }, 'spec.neighbors[0].keepaliveTime'],
  ['Underlay', { neighbors: [{ ...neighbor, bfd: { receiveInterval: 5 } }] }, 'spec.neighbors[0].bfd.receiveInterval'],
  ['Underlay', { neighbors: [{ ...neighbor, routeReflectorClient: true }] }, 'spec.neighbors'],
  ['Underlay', { neighbors: [{ address: '10.0.0.1', type: 'Internal', ebgpMultiHop: true }] }, 'spec.neighbors'],
  [
    'Underlay',
    { neighbors: [{ interface: 'eth1', type: 'External', ebgpMultiHop: true }] },
    'spec.neighbors[0].ebgpMultiHop',
  ],
  ['Underlay', { neighbors: [{ interface: 'eth1', type: 'External', port: 179 }] }, 'spec.neighbors[0].port'],
  [
    'Underlay',
    { neighbors: [{ ...neighbor, addressFamilies: ['IPv4Unicast', 'IPv4Unicast'] }] },
    'spec.neighbors[0].addressFamilies[1]',
  ],
  ['L3VNI', { vni: 0 }, 'spec.vni'],
  ['L3VNI', { vni: 16777216 }, 'spec.vni'],
  ['L3VNI', { vni: 1.5 }, 'spec.vni'],
  ['L3VNI', { vni: null }, 'spec.vni'],
  ['L3VNI', { vrf: undefined }, 'spec.vrf'],
  ['L3VNI', { vrf: '1red' }, 'spec.vrf'],
  ['L3VNI', { vrf: 'sixteencharacter' }, 'spec.vrf'],
  ['L3VNI', { vfr: 'red' }, 'spec.vfr'],
  ['L3VNI', { hostSession: session }, 'spec.hostSession'],
  ['L3VNI', { hostSession: { ...session, hostASN: 1, hostType: 'External' } }, 'spec.hostSession'],
  ['L3VNI', { hostSession: { hostASN: 1, localCIDR: {} } }, 'spec.hostSession.localCIDR'],
  ['L3VNI', { hostSession: { hostASN: 1, localCIDR: { ipv4: 'fd00::/64' } } }, 'spec.hostSession.localCIDR.ipv4'],
  ['L3VNI', { hostSession: { hostASN: 1, localCIDR: { ipv6: '10.0.0.0/24' } } }, 'spec.hostSession.localCIDR.ipv6'],
  ['L3VNI', { exportPolicy: {} }, 'spec.hostSession'],
  [
    'L3VNI',
    { hostSession: { ...session, hostASN: 1 }, importPolicy: { prefixes: [{ cidr: '10.0.0.0/8', ge: 24, le: 16 }] } },
    'spec.importPolicy.prefixes[0].ge',
  ],
  ['L3VNI', { routeTargets: { export: ['*:100'] } }, 'spec.routeTargets.export[0]'],
  ['L3VNI', { routeDistinguisher: 'auto' }, 'spec.routeDistinguisher'],
  ['L3VNI', { nodeSelector: { matchLabels: { rack: 1 } } }, 'spec.nodeSelector.matchLabels.rack'],
  [
    'L3VNI',
    { nodeSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
    'spec.nodeSelector.matchExpressions[0].values',
  ],
  [
    'L3VNI',
    { nodeSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['1'] }] } },
    'spec.nodeSelector.matchExpressions[0].values',
  ],
  ['L2VNI', { routeTargets: { import: ['64514:110', '*:110'] } }, 'spec.routeTargets.import'],
  ['L2VNI', { gatewayIPs: ['10.110.0.1/24'] }, 'spec.gatewayIPs'],
  ['L2VNI', { vrf: 'red', gatewayIPs: ['10.110.0.1/24', '10.111.0.1/24'] }, 'spec.gatewayIPs'],
  ['L2VNI', { vrf: 'red', gatewayIPs: ['10.110.0.1/33'] }, 'spec.gatewayIPs[0]'],
  ['L2VNI', { vrf: 'red', gatewayIPs: ['10.110.0.1'] }, 'spec.gatewayIPs[0]'],
  ['L2VNI', { vrf: 'red', gatewayIPs: '10.110.0.1/24' }, 'spec.gatewayIPs'],
  ['L2VNI', { hostMaster: { type: 'LinuxBridge' } }, 'spec.hostMaster.name'],
  ['L2VNI', { hostMaster: { type: 'linuxbridge', autoCreate: true } }, 'spec.hostMaster.type'],
  ['L2VNI', { hostMaster: { type: 'LinuxBridge', name: 'br-hs-111' } }, 'spec.hostMaster.name'],
  ['L3Passthrough', { hostSession: undefined }, 'spec.hostSession'],
  ['RouterNode', { index: -1 }, 'spec.index'],
  ['RouterNode', { addresses: { vteps: ['100.65.0.1', '100.65.0.2'] } }, 'spec.addresses.vteps'],
  ['RouterNode', { addresses: { vteps: ['100.65.0.1/32'] } }, 'spec.addresses.vteps[0]'],
  ['RouterNode', { addresses: { routerID: 'fd00::1' } }, 'spec.addresses.routerID'],
]

/** What only a look at addresses and names can tell: the API server takes it, nodeleaf does not. */
export const deeper: readonly [string, Record<string, unknown>, ...string[]][] = [
  ['Underlay', { asn: 23456 }, 'spec.asn'],
  ['Underlay', { neighbors: [{ address: 'fd00::1', asn: 23456 }] }, 'spec.neighbors[0].asn'],
  ['Underlay', { interfaces: [{ name: 'lo' }] }, 'spec.interfaces[0].name'],
  ['Underlay', { interfaces: [{ name: 'vtep0' }] }, 'spec.interfaces[0].name'],
  ['Underlay', { vtep: { cidrs: ['100.65.0.0/32'] } }, 'spec.vtep.cidrs[0]'],
  ['Underlay', { vtep: { cidrs: ['224.0.0.0/24'] } }, 'spec.vtep.cidrs[0]'],
  ['Underlay', { neighbors: [{ ...neighbor, address: 'fe80::1' }] }, 'spec.neighbors[0].address'],
  ['Underlay', { neighbors: [{ ...neighbor, address: '127.0.0.1' }] }, 'spec.neighbors[0].address'],
  ['Underlay', { neighbors: [{ ...neighbor, address: '::ffff:0102:0304' }] }, 'spec.neighbors[0].address'],
  [
    'Underlay',
    {
      neighbors: [
        { ...neighbor, address: 'fd00::1' },
        { ...neighbor, address: 'FD00:0::1' },
      ],
    },
    'spec.neighbors[1]',
  ],
  ...[
    'default',
    'lo',
    'all',
    'br100',
    'vx100',
    'nlbr0',
    'nlvx12',
    'svi100',
    'pe-100',
    'host-100',
    'pe-pt',
    'host-pt',
    'vtep0',
  ].map((vrf): [string, Record<string, unknown>, string] => ['L3VNI', { vrf }, 'spec.vrf']),
  ['L3VNI', { hostSession: { hostASN: 1, localCIDR: { ipv4: '10.0.0.1/24' } } }, 'spec.hostSession.localCIDR.ipv4'],
  ['L3VNI', { hostSession: { hostASN: 1, localCIDR: { ipv4: '10.0.0.0/31' } } }, 'spec.hostSession.localCIDR.ipv4'],
  [
    'L3VNI',
    { hostSession: { ...session, hostASN: 1 }, importPolicy: { prefixes: [{ cidr: '10.0.0.0/8', ge: 33 }] } },
    'spec.importPolicy.prefixes[0].ge',
  ],
  [
    'L3VNI',
    { hostSession: { ...session, hostASN: 1 }, importPolicy: { prefixes: [{ cidr: '10.0.0.0/8', le: 7 }] } },
    'spec.importPolicy.prefixes[0].le',
  ],
  ['L3VNI', { routeTargets: { import: ['70000:70000'] } }, 'spec.routeTargets.import[0]'],
  ['L2VNI', { vrf: 'red', gatewayIPs: ['10.110.0.0/24'] }, 'spec.gatewayIPs[0]'],
  ['L2VNI', { vrf: 'red', gatewayIPs: ['10.110.0.255/24'] }, 'spec.gatewayIPs[0]'],
  ['L2VNI', { vrf: 'red', gatewayIPs: ['fd00:110::/64'] }, 'spec.gatewayIPs[0]'],
  ['L2VNI', { vrf: 'red', gatewayIPs: ['10.110.0.1/32'] }, 'spec.gatewayIPs[0]'],
  ['L2VNI', { hostMaster: { type: 'LinuxBridge', name: 'host-110' } }, 'spec.hostMaster.name'],
]
