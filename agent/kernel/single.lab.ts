import test from 'ava'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { NETNS, sh } from './golden/machine.ts'
import { blue, empty, plain, plan, red, vrf, web, whole } from './golden/sample.ts'
import { kernelSuite } from './kernel-suite.ts'

const machine = kernelSuite('single')

const bridge = (words: string): string => sh(`bridge -color=never -n ${NETNS} ${words}`)

test.serial('the kernel of the lab can have the single shape, and trying it leaves nothing', (t) => {
  const before = sh('ip netns; ip -br link')
  t.is(machine().kernel.probeSingle(), undefined)
  t.is(sh('ip netns; ip -br link'), before)
})

/** VLAN and VNI of each tunnel of a shard. */
function tunnels(shard: number): string[] {
  const lines = bridge(`vlan tunnelshow dev nlvx${shard} 2>/dev/null || true`).split('\n').slice(1)
  return lines.map((line) => line.replace(`nlvx${shard}`, '').trim().replace(/\s+/, ' ')).filter((line) => line !== '')
}

const links = (): string => sh(`ip -n ${NETNS} -br link`)

test.serial('L3VNIs, an L2VNI, and one that does not suppress ARP have a shard each', async (t) => {
  await machine().converges(t, whole)
  t.deepEqual([0, 1, 2].map(tunnels), [['2 110'], ['2 100', '3 200'], ['2 300']])
  t.regex(sh(`ip -n ${NETNS} -br addr show svi110`), /10\.110\.0\.1\/24/)
  t.regex(bridge('-d link show dev nlvx0'), /neigh_suppress on/)
  t.regex(bridge('-d link show dev nlvx2'), /neigh_suppress off/)
  t.regex(bridge('fdb show dev nlbr0'), /02:6e:6c:00:00:6e vlan 2 master nlbr0 permanent/)
  await machine().converges(t, { ...whole, segments: [{ ...web, gatewayMAC: '02:6e:6c:00:00:99' }, plain] })
  t.notRegex(bridge('fdb show dev nlbr0'), /02:6e:6c:00:00:6e vlan/)
})

test.serial('an agent that comes back finds every VNI where it was, whatever has gone meanwhile', async (t) => {
  await machine().converges(t, { ...whole, vrfs: [red], segments: [] })
  await machine().converges(t, whole)
  await machine().converges(t, plan({ vrfs: [blue], segments: [plain] }))
  t.deepEqual(tunnels(1), ['3 200'])
  machine().kernel.close()
  machine().kernel = machine().open()
  const { writes } = machine().kernel
  await machine().converges(t, plan({ vrfs: [blue], segments: [plain] }))
  t.is(machine().kernel.writes, writes)
  await machine().converges(t, whole)
  t.deepEqual(tunnels(1), ['2 100', '3 200'])
})

test.serial("VNIs change their class, get and lose a gateway, and take each other's numbers", async (t) => {
  await machine().converges(t, whole)
  const suppressing = [web, { ...plain, suppressARP: true }]
  await machine().converges(t, { ...whole, segments: suppressing })
  t.deepEqual([0, 2].map(tunnels), [['2 110', '3 300'], []])
  t.notRegex(links(), /nl(br|vx)2/)
  const routed = [web, { ...plain, suppressARP: true, vrf: 'blue', gateways: ['10.30.0.1/24'] }]
  await machine().converges(t, { ...whole, segments: routed })
  t.regex(links(), /^svi300@nlbr0/m)
  await machine().converges(t, { ...whole, segments: suppressing })
  t.notRegex(links(), /svi300/)
  // 300 becomes an L3VNI and 100 a segment.
  const swapped = plan({
    vrfs: [vrf('red', 300, 10100, ['192.169.10.1/24'], ['192.169.10.2/24'])],
    segments: [{ ...plain, vni: 100 }],
  })
  await machine().converges(t, swapped)
  await machine().converges(t, whole)
})

test.serial('the largest VNI of a shard sets its MTU, each has its own', async (t) => {
  const sized = (mtu: number): NodePlan =>
    plan({
      vrfs: [red],
      segments: [
        { ...web, mtu },
        { ...web, vni: 111, mtu: 1310, gateways: [] },
      ],
    })
  const mtu = (name: string): string =>
    sh(`cat /sys/class/net/lo/mtu; ip -n ${NETNS} -o link show ${name} | grep -o 'mtu [0-9]*'`).split('\n').at(-2) ?? ''
  await machine().converges(t, sized(1400))
  t.deepEqual(
    [mtu('nlbr0'), mtu('svi110'), mtu('svi111'), mtu('pe-111')],
    ['mtu 1400', 'mtu 1400', 'mtu 1310', 'mtu 1310'],
  )
  await machine().converges(t, sized(1450))
  t.deepEqual([mtu('nlbr0'), mtu('svi110'), mtu('svi111')], ['mtu 1450', 'mtu 1450', 'mtu 1310'])
  await machine().converges(t, sized(1290))
  t.deepEqual([mtu('nlbr0'), mtu('svi110'), mtu('svi111')], ['mtu 1310', 'mtu 1290', 'mtu 1310'])
})

for (const [what, deed] of Object.entries({
  "a shard's bridge": 'ip -n NS link del nlbr0',
  "a shard's VXLAN device": 'ip -n NS link del nlvx1',
  'both of all': 'for n in 0 1 2; do ip -n NS link del nlbr$n; ip -n NS link del nlvx$n; done',
  'an SVI and a veth': 'ip -n NS link del svi110; ip -n NS link del pe-300',
  'VLANs, tunnels, VNIs and forwarding entries': `bridge -n NS vlan del dev nlvx0 vid 2; bridge -n NS vni del dev nlvx1 vni 100
    bridge -n NS vlan del dev nlbr1 vid 3 self; bridge -n NS fdb del 02:6e:6c:00:00:6e dev nlbr0 vlan 2 self
    bridge -n NS vlan del dev nlvx2 vid 2 tunnel_info id 300; bridge -n NS vlan del dev pe-300 vid 2`,
  flags: `ip -n NS link set nlbr0 type bridge vlan_filtering 0; bridge -n NS link set dev nlvx0 vlan_tunnel off learning on
    ip -n NS link set nlvx1 nomaster; ip -n NS link set nlbr2 down mtu 1300; ip -n NS link set svi100 nomaster`,
  'by additions': `bridge -n NS vlan add dev nlvx0 vid 2-50; bridge -n NS vlan add dev nlvx0 vid 40 tunnel_info id 4000
    bridge -n NS vni add dev nlvx0 vni 5000-5010; bridge -n NS vlan add dev nlbr0 vid 60-70 self
    bridge -n NS vlan add dev pe-110 vid 9; bridge -n NS fdb add 02:00:00:00:00:77 dev nlbr0 vlan 2 self permanent`,
})) {
  test.serial(`what others spoil comes back: ${what}`, async (t) => {
    await machine().converges(t, whole)
    const shown = (): unknown =>
      ['vlan show', 'vlan tunnelshow', 'vni show'].map((words) =>
        (JSON.parse(bridge(`-j ${words}`)) as { ifname: string }[]).toSorted((x, y) => (x.ifname < y.ifname ? -1 : 1)),
      )
    const before = shown()
    sh(deed.replaceAll('NS', NETNS))
    await machine().converges(t, whole)
    t.deepEqual(shown(), before)
  })
}

test.serial('the shape changes on a node that runs, both ways and cut short', async (t) => {
  const { kernel } = machine()
  for (const [shape, other] of [
    ['per-vni', /nl(br|vx)|svi/],
    ['single', /^(br|vx)\d/m],
    ['per-vni', /nl(br|vx)|svi/],
  ] as const) {
    await machine().converges(t, whole)
    kernel.useShape(shape)
    const { create, raise } = await kernel.differences(whole)
    t.like(kernel.switching, { to: shape, left: 4 })
    t.deepEqual(await kernel.apply(create), [])
    t.deepEqual(await kernel.apply(raise.slice(0, raise.length / 2)), [])
    t.true((kernel.switching?.left ?? 4) < 4)
    await machine().converges(t, whole)
    t.is(kernel.switching, undefined)
    t.notRegex(links(), other)
    t.is(kernel.runningShape, shape)
  }
})

test.serial('hundreds of VNIs spread over shards; what goes leaves no shard behind', async (t) => {
  const many = Array.from({ length: 300 }, (_, at) => ({
    ...plain,
    for: { kind: 'L2VNI', name: `n${at}` } as const,
    vni: 1000 + at,
    suppressARP: true,
  }))
  await machine().converges(t, plan({ segments: many }))
  t.deepEqual(
    [0, 3, 6].map((shard) => tunnels(shard)),
    [['2-129 1000-1127'], ['2-129 1128-1255'], ['2-45 1256-1299']],
  )
  await machine().converges(t, plan({ segments: many.slice(200) }))
  t.deepEqual(
    [3, 6].map((shard) => tunnels(shard)),
    [['74-129 1200-1255'], ['2-45 1256-1299']],
  )
  t.notRegex(links(), /nl(br|vx)0\b/)
  await machine().converges(t, empty)
  t.is(sh(`ip -n ${NETNS} -br link | wc -l`).trim(), '1')
})
