/** Two routers, a ToR that relays EVPN, and a host speaker behind each router: do routes and packets get through? */
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { desired } from './desired.ts'
import { diff } from './diff.ts'
import { Frr } from './frr.ts'
import { ManagedFrr } from './managed.ts'
import { parse } from './text.ts'
import type { ExecutionContext } from 'ava'
import type { HostSessionPlan, NodePlan } from '../../api/plan/node-plan.ts'
import type { Block } from './tree.ts'

const names = ['lab-tor', 'lab-pe1', 'lab-pe2', 'lab-h1', 'lab-h2'] as const
type Name = (typeof names)[number]

const run = (command: string) => execFileSync('sh', ['-c', command], { encoding: 'utf8' })
/** In the VTEPs' pool: all of it, another node's, a part that nobody has. */
const stolen = ['100.65.0.0/24', '100.65.0.1/32', '100.65.0.128/25']
const speakers = new Map<Name, { managed: ManagedFrr; frr: Frr }>()

test.before(async () => {
  for (const name of names) {
    run(`ip netns add ${name}; ip -n ${name} link set lo up; ip netns exec ${name} sysctl -qw net.ipv4.ip_forward=1 \
      net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0`)
  }
  for (const i of [1, 2]) {
    const pe = `ip -n lab-pe${i}`
    run(`
      ip link add eth1 netns lab-pe${i} type veth peer name eth${i} netns lab-tor
      ${pe} addr add 192.168.1${i}.11/24 dev eth1; ${pe} link set eth1 up
      ip -n lab-tor addr add 192.168.1${i}.1/24 dev eth${i}; ip -n lab-tor link set eth${i} up
      ${pe} link add vtep0 type dummy; ${pe} addr add 100.65.0.${i}/32 dev vtep0; ${pe} link set vtep0 up
      ${pe} link add red type vrf table 1100; ${pe} link set red up
      ${pe} link add br100 type bridge; ${pe} link set br100 master red addrgenmode none
      ${pe} link set br100 address 02:6e:64:41:00:0${i}; ${pe} link set br100 up
      ${pe} link add vx100 type vxlan id 100 dstport 4789 local 100.65.0.${i} nolearning
      ${pe} link set vx100 master br100 addrgenmode none; ${pe} link set vx100 up
      ${host(i, 'pe-100', 'host-100', 10)}
      ${pe} link set pe-100 master red; ${pe} route add 192.169.10.${i + 1}/32 dev pe-100 vrf red
      ${pe} -6 addr add fd00:c9:10::1/64 dev pe-100 nodad; ${pe} -6 route add fd00:c9:10::${i + 1}/128 dev pe-100 vrf red
      ${host(i, 'pe-pt', 'host-pt', 30)}
      ${pe} route add 192.169.30.${i + 1}/32 dev pe-pt
      ip -n lab-h${i} addr add 10.1.${i}.1/32 dev lo; ip -n lab-h${i} addr add fd00:1:${i}::1/128 dev lo
      ip -n lab-h${i} addr add 10.9.${i}.1/32 dev lo
      for prefix in ${stolen.join(' ')}; do ip -n lab-h${i} route add blackhole $prefix; done`)
  }
  await Promise.all(
    names.map(async (name) => {
      const managed = new ManagedFrr({ name, netns: `/run/netns/${name}` })
      await managed.start(undefined, ['bfdd'])
      speakers.set(name, { managed, frr: await Frr.connect({ socketsDir: managed.socketsDir, mode: 'managed' }) })
    }),
  )
  await configure('lab-tor', parse(torText))
})

test.after.always(async () => {
  for (const { managed, frr } of speakers.values()) {
    frr.close()
    await managed.stop()
  }
  for (const name of names) run(`ip netns del ${name}`)
})

function host(i: number, pe: string, there: string, third: number): string {
  return `ip link add ${pe} netns lab-pe${i} type veth peer name ${there} netns lab-h${i}
    ip -n lab-pe${i} addr add 192.169.${third}.1/24 dev ${pe}; ip -n lab-pe${i} link set ${pe} up
    ip -n lab-h${i} addr add 192.169.${third}.${i + 1}/24 dev ${there}
    ip -n lab-h${i} -6 addr add fd00:c9:${third}::${i + 1}/64 dev ${there} nodad; ip -n lab-h${i} link set ${there} up`
}

const torText = `router bgp 64601
 bgp router-id 10.0.0.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor 192.168.11.11 remote-as 64514
 neighbor 192.168.12.11 remote-as 64514
 address-family ipv4 unicast
  neighbor 192.168.11.11 activate
  neighbor 192.168.12.11 activate
 exit-address-family
 address-family l2vpn evpn
  neighbor 192.168.11.11 activate
  neighbor 192.168.12.11 activate
  neighbor 192.168.11.11 attribute-unchanged next-hop
  neighbor 192.168.12.11 attribute-unchanged next-hop
 exit-address-family
exit
`

function hostText(i: number, asn: number, remoteAS: number, third: number, prefixes: readonly string[]): string {
  const peers = [`192.169.${third}.1`, ...(third === 10 ? [`fd00:c9:${third}::1`] : [])]
  const families = peers.map((peer) => {
    const v6 = peer.includes(':')
    const own = prefixes.filter((prefix) => prefix.includes(':') === v6).map((prefix) => `  network ${prefix}\n`)
    return ` address-family ipv${v6 ? 6 : 4} unicast\n${own.join('')}  neighbor ${peer} activate\n exit-address-family\n`
  })
  return `router bgp ${asn}
 bgp router-id 10.0.1.${i}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
${peers.map((peer) => ` neighbor ${peer} remote-as ${remoteAS}\n neighbor ${peer} timers connect 1\n`).join('')}${families.join('')}exit
`
}

function nodePlan(i: number, more: Partial<HostSessionPlan>, passthrough = false): NodePlan {
  const session = (kind: 'L3VNI' | 'L3Passthrough', name: string, third: number, ipv6: boolean): HostSessionPlan => ({
    for: { kind, name },
    asn: 64514,
    remoteAS: 64515,
    connectSeconds: 1,
    routerAddresses: [`192.169.${third}.1/24`, ...(ipv6 ? [`fd00:c9:${third}::1/64`] : [])],
    hostAddresses: [`192.169.${third}.${i + 1}/24`, ...(ipv6 ? [`fd00:c9:${third}::${i + 1}/64`] : [])],
    fromHost: { prefixes: [] },
    toHost: { prefixes: [] },
    allowDefault: false,
    ...more,
  })
  return {
    node: `pe${i}`,
    router: {
      for: { kind: 'Underlay', name: 'fabric' },
      asn: 64514,
      routerID: `100.65.0.${i}`,
      vteps: [`100.65.0.${i}`],
      vtepPools: ['100.65.0.0/24'],
      routerMAC: `02:6e:64:41:00:0${i}`,
      interfaces: ['eth1'],
      neighbors: [
        {
          peer: { type: 'address', address: `192.168.1${i}.1` },
          remoteAS: 'external',
          connectSeconds: 1,
          ebgpMultiHop: false,
          families: ['IPv4Unicast', 'L2VPNEVPN'],
          routeReflectorClient: false,
          allowASIn: true,
        },
      ],
      gracefulRestart: { restartTimeSeconds: 120, stalePathTimeSeconds: 360 },
      maximumPaths: 64,
      multipathRelax: true,
    },
    vrfs: [
      {
        for: { kind: 'L3VNI', name: 'red' },
        name: 'red',
        table: 1100,
        l3vni: { vni: 100, importTargets: [], exportTargets: [] },
        ...(passthrough ? {} : { hostSession: session('L3VNI', 'red', 10, true) }),
      },
    ],
    segments: [],
    ...(passthrough ? { passthrough: session('L3Passthrough', 'direct', 30, false) } : {}),
  }
}

async function configure(name: Name, want: Block): Promise<void> {
  const speaker = speakers.get(name)
  if (!speaker) throw new Error(`no speaker ${name}`)
  const results = await speaker.frr.apply(diff(want, await speaker.frr.running(), speaker.frr.ownership))
  const refused = results.filter(({ outcome }) => outcome !== 'ok')
  if (refused.length > 0) throw new Error(JSON.stringify(refused))
  speaker.managed.save(want)
}

async function reaches(t: ExecutionContext, from: Name, source: string, to: string): Promise<void> {
  for (const end = Date.now() + 40_000; Date.now() < end;) {
    try {
      run(`ip netns exec ${from} ping -c1 -W1 -I ${source} ${to}`)
      t.pass()
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  const tables = ['lab-pe1', 'lab-pe2'].map((pe) =>
    run(`ip -n ${pe} route show vrf red; ip -n ${pe} -6 route show vrf red`),
  )
  t.fail(
    `${from} ${source} does not reach ${to}\n${run(`ip -n ${from} route; ip -n ${from} -6 route`)}\n${tables.join('\n')}`,
  )
}

test.serial('hosts that share one AS number learn each other over the fabric', async (t) => {
  for (const i of [1, 2]) {
    await configure(`lab-pe${i}` as Name, desired(nodePlan(i, {})))
    await configure(`lab-h${i}` as Name, parse(hostText(i, 64515, 64514, 10, [`10.1.${i}.1/32`, `fd00:1:${i}::1/128`])))
  }
  await reaches(t, 'lab-h1', '10.1.1.1', '10.1.2.1')
  await reaches(t, 'lab-h1', 'fd00:1:1::1', 'fd00:1:2::1')
  await reaches(t, 'lab-h1', '192.169.10.2', '10.1.2.1')
})

test.serial('after bgpd was killed everything comes back by itself', async (t) => {
  const speaker = speakers.get('lab-pe1') ?? t.fail()
  const pid = Number(readFileSync(join(speaker.managed.socketsDir, 'bgpd.pid'), 'utf8'))
  const back = new Promise<void>((resolve) => speaker.frr.once('connected', () => resolve()))
  const began = Date.now()
  process.kill(pid, 'SIGKILL')
  await back
  await reaches(t, 'lab-h1', '10.1.1.1', '10.1.2.1')
  // FRR before 10.6 has no graceful restart for EVPN: zebra drops remote VTEPs at once, the routes a second later.
  t.log(`traffic is back ${Date.now() - began} ms after the kill`)
})

test.serial('a default route from a host goes nowhere', async (t) => {
  const text = hostText(2, 64515, 64514, 10, ['10.1.2.1/32', '10.9.2.1/32', 'fd00:1:2::1/128'])
  await configure(
    'lab-h2',
    parse(
      text.replace(
        'neighbor 192.169.10.1 activate\n',
        'neighbor 192.169.10.1 activate\n  neighbor 192.169.10.1 default-originate\n',
      ),
    ),
  )
  await reaches(t, 'lab-h1', '10.1.1.1', '10.9.2.1')
  t.notRegex(run('ip -n lab-pe2 route show vrf red; ip -n lab-pe1 route show vrf red'), /^default via/m)
})

test.serial('iBGP hosts learn each other over the fabric, with next hops that they reach', async (t) => {
  for (const i of [1, 2]) {
    await configure(`lab-pe${i}` as Name, desired(nodePlan(i, { remoteAS: 'internal' })))
    await configure(`lab-h${i}` as Name, parse(hostText(i, 64514, 64514, 10, [`10.1.${i}.1/32`, `fd00:1:${i}::1/128`])))
  }
  await reaches(t, 'lab-h1', '10.1.1.1', '10.1.2.1')
  await reaches(t, 'lab-h1', 'fd00:1:1::1', 'fd00:1:2::1')
})

test.serial('passthrough hosts learn each other without encapsulation, and cannot take the VTEP', async (t) => {
  for (const i of [1, 2]) {
    await configure(`lab-pe${i}` as Name, desired(nodePlan(i, {}, true)))
    await configure(
      `lab-h${i}` as Name,
      parse(hostText(i, 64515, 64514, 30, [`10.9.${i}.1/32`, ...(i === 2 ? stolen : [])])),
    )
  }
  await reaches(t, 'lab-h1', '10.9.1.1', '10.9.2.1')
  const sent = run('vtysh -N lab-h2 -c "show bgp ipv4 unicast neighbors 192.169.30.1 advertised-routes json"')
  t.regex(sent, /"100\.65\.0\.128\/25"/, 'the host sends them')
  const fabric = run('ip -n lab-tor route show')
  t.regex(fabric, /^10\.9\.2\.1 .*via 192\.168\.12\.11 /m)
  t.regex(fabric, /^100\.65\.0\.1 .*via 192\.168\.11\.11 /m, 'the VTEP of the other node stays there')
  t.notRegex(fabric, /^100\.65\.0\.(0\/24|128\/25)/m)
})
