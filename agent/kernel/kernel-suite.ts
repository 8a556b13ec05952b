/** The router on a real kernel, in one of the datapath's shapes: what the lab tests of both run. */
import test from 'ava'
import { Machine, NETNS, settled, sh } from './golden/machine.ts'
import { blue, empty, passthrough, plain, plan, red, web, whole } from './golden/sample.ts'
import type { DatapathShape } from './objects.ts'

/** Gives each test a machine of its own, which is the one that is returned while it runs. */
export function kernelSuite(shape: DatapathShape): () => Machine {
  let machine: Machine
  test.beforeEach(() => void (machine = new Machine(shape)))
  test.afterEach.always(() => machine.destroy())

  const routed = (vni: number): string => (shape === 'single' ? `svi${vni}` : `br${vni}`)
  /** VXLAN devices of the L3VNI 100, and of 110 and 300, of which the latter does not suppress ARP. */
  const vxlan =
    shape === 'single' ? { 100: 'nlvx1', 110: 'nlvx0', 300: 'nlvx2' } : { 100: 'vx100', 110: 'vx110', 300: 'vx300' }

  test.serial('a whole plan is in place after one pass, and the second pass writes nothing', async (t) => {
    await machine.converges(t, whole)
    const { writes } = machine.kernel
    t.deepEqual(await machine.kernel.verify(whole), [])
    await machine.pass(whole)
    t.is(machine.kernel.writes, writes)
    t.is(machine.kernel.runningShape, shape)
    t.is(machine.warnings.length, 1)
  })

  test.serial('uninstall leaves the host as it was', async (t) => {
    const before = machine.snapshot()
    await machine.converges(t, whole)
    t.notDeepEqual(machine.snapshot(), before)
    t.deepEqual(await machine.kernel.uninstall(), [])
    t.deepEqual(await settled(() => machine.snapshot(), before), before)
    t.false(sh('ip netns').includes(NETNS))
    t.is(sh('cat /proc/sys/net/ipv4/conf/eth1/rp_filter').trim(), '2')
  })

  test.serial('what the plan wants no more goes, and nothing else', async (t) => {
    await machine.converges(t, whole)
    await machine.converges(t, plan({ vrfs: [red], segments: [] }))
    const gone = new RegExp(`\\b(${routed(110)}|${vxlan[110]}|host-110|br-hs-110|pe-pt|blue)\\b`)
    t.notRegex(sh(`ip link; ip -n ${NETNS} link`), gone)
    await machine.converges(t, empty)
    t.is(sh(`ip -n ${NETNS} -br link | wc -l`).trim(), '1')
    t.is(sh(`ip -n ${NETNS} route show table all proto 110`), '')
  })

  test.serial('changes of every kind are made in place and converge', async (t) => {
    await machine.converges(t, whole)
    const index = (): string => sh(`ip -n ${NETNS} -o link show ${vxlan[100]} | cut -d: -f1`)
    const before = index()
    const { hostSession } = blue
    const moved = { ...hostSession!, routerAddresses: ['192.169.20.1/25'], hostAddresses: ['192.169.20.9/25'] }
    const elsewhere = { ...web, vrf: 'blue', gateways: ['10.110.0.2/24'], gatewayMAC: '02:6e:6c:00:00:99' }
    const renumbered = plan({
      router: { ...whole.router!, vteps: ['100.65.0.9'], routerMAC: '02:6e:64:41:00:09', mtu: 1400 },
      vrfs: [{ ...blue, hostSession: moved }, red],
      segments: [elsewhere, { ...plain, for: { kind: 'L2VNI', name: 'other' } }],
      passthrough,
    })
    await machine.converges(t, renumbered)
    t.is(index(), before)
    await machine.converges(t, { ...renumbered, segments: [{ ...elsewhere, suppressARP: false }, plain] })
    await machine.converges(t, whole)
    t.is(index(), before)
  })

  test.serial('a change of VTEP family and of VRF tables re-makes what it must', async (t) => {
    await machine.converges(t, whole)
    await machine.converges(t, {
      ...whole,
      router: { ...whole.router!, vteps: ['fd00:100::1'] },
      vrfs: [
        { ...blue, table: 10300 },
        { ...red, table: 10400 },
      ],
    })
  })

  test.serial('what others delete or spoil comes back', async (t) => {
    await machine.converges(t, whole)
    sh(`ip link del host-100; ip -n ${NETNS} link del ${routed(110)}; ip -n ${NETNS} link set ${routed(200)} nomaster
      ip -n ${NETNS} addr del 100.65.0.1/32 dev vtep0; ip -n ${NETNS} route flush table 10200 proto 110
      ip netns exec ${NETNS} sysctl -qw net.ipv4.ip_forward=0; ip -n ${NETNS} link set ${vxlan[300]} down mtu 1300
      ip -n ${NETNS} link set red down; ip -n ${NETNS} addr flush dev eth1`)
    await machine.converges(t, whole)
  })

  test.serial('a namespace that has lost its name gets it back, with all that is in it', async (t) => {
    await machine.converges(t, whole)
    const indexes = (): string => sh(`ip -n ${NETNS} -o link | cut -d: -f1,2`)
    const before = indexes()
    sh(`ip netns del ${NETNS}`)
    await machine.pass(whole)
    t.is(indexes(), before)
    await machine.converges(t, whole)
    t.deepEqual(await machine.kernel.uninstall(), [])
    t.false(sh('ip netns').includes(NETNS))
  })

  return () => machine
}
