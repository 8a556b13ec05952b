import test from 'ava'
import { capabilities } from './capabilities.ts'
import { bridgeOf, downOf, evpnVnisOf, sessionsOf, vniCountOf, vrfVnisOf } from './state.ts'

test('a session sums its families and carries its BFD state', (t) => {
  const peer = {
    remoteAs: 64601,
    state: 'Established',
    peerUptimeMsec: 5000,
    connectionsEstablished: 1,
    connectionsDropped: 0,
  }
  const json = {
    default: {
      ipv4Unicast: { peers: { '10.0.0.1': { ...peer, pfxRcd: 3, pfxSnt: 1 } } },
      l2VpnEvpn: { peers: { '10.0.0.1': { ...peer, pfxRcd: 4, pfxSnt: 2 } } },
    },
    red: { ipv4Unicast: { peers: { '10.1.0.2': { remoteAs: 0, state: 'Active', pfxRcd: 0, pfxSnt: 0 } } } },
  }
  const [fabric, host] = sessionsOf(json, [{ peer: '10.0.0.1', vrf: 'default', status: 'up' }])
  t.like(fabric, { vrf: 'default', remoteAS: 64601, uptimeMs: 5000, prefixesReceived: 7, prefixesSent: 3, bfd: 'up' })
  t.like(host, { vrf: 'red', peer: '10.1.0.2', state: 'Active', uptimeMs: 0, established: 0 })
  t.is(host?.remoteAS, undefined)
})

test('VNIs of both layers are read', (t) => {
  const vnis = evpnVnisOf([
    {
      vni: 110,
      type: 'L2',
      tenantVrf: 'red',
      vxlanInterface: 'vx110',
      sviInterface: 'br110',
      numMacs: 2,
      numArpNd: 1,
      remoteVteps: [{ ip: '100.65.0.2' }],
    },
    {
      vni: 100,
      type: 'L3',
      tenantVrf: 'red',
      vxlanIntf: 'vx100',
      sviIntf: 'br100',
      state: 'Up',
      routerMac: '02:6e:64:41:00:01',
    },
  ])
  t.like(vnis[0], { vni: 110, type: 'L2', macs: 2, arps: 1, remoteVteps: ['100.65.0.2'] })
  t.like(vnis[1], { vni: 100, type: 'L3', state: 'Up', routerMAC: '02:6e:64:41:00:01', vxlanInterface: 'vx100' })
  t.deepEqual(vrfVnisOf({}), [])
})

test('IPv6 VTEPs and graceful restart of EVPN come with 10.6', (t) => {
  t.false(capabilities('10.3').ipv6Vtep)
  t.false(capabilities('9.1.2').ipv6Vtep)
  t.true(capabilities('10.6').ipv6Vtep)
  t.true(capabilities('10.7.1').evpnGracefulRestart)
  t.true(capabilities('11.0-dev').ipv6Vtep)
})

test('which sessions are down is the same text as long as the same ones are', (t) => {
  const down = (...peers: string[]) =>
    downOf({
      default: {
        ipv4Unicast: { totalPeers: 3, peers: Object.fromEntries(peers.map((peer) => [peer, { peerUptimeMsec: 1 }])) },
      },
      red: { ipv4Unicast: { failedPeersCount: 0, totalPeers: 1 } },
    })
  t.is(down('b', 'a'), down('a', 'b'))
  t.is(new Set([down(), down('a'), down('b'), down('a', 'b')]).size, 4)
  t.is(downOf({}), '')
})

test('the number of VNIs is known when zebra tells it', (t) => {
  t.is(vniCountOf({ numVnis: 3, numL2Vnis: 2, numL3Vnis: 1 }), 3)
  t.is(vniCountOf({}), undefined)
})

test('the bridge of a port is known when zebra has both, and has not an earlier port of that name', (t) => {
  const port = (facts: object) => ({ 'pe-110': { index: 9, interfaceSlaveType: 'Bridge', ...facts } })
  t.is(bridgeOf(port({ masterInterface: 'nlbr0' }), 9), 'nlbr0')
  t.is(bridgeOf(port({ masterInterface: 'nlbr0' }), 10), undefined)
  t.is(bridgeOf(port({ masterIfindex: 7 }), 9), undefined)
  t.is(bridgeOf(port({ interfaceSlaveType: 'None' }), 9), undefined)
  t.is(bridgeOf({}, 9), undefined)
})
