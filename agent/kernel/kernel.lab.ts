import test from 'ava'
import { setTimeout } from 'node:timers/promises'
import { NETNS, sh } from './golden/machine.ts'
import { plain, plan, whole } from './golden/sample.ts'
import { kernelSuite } from './kernel-suite.ts'

const machine = kernelSuite('per-vni')

test.serial('a foreign link of a needed name fails its resource only, and is not touched', async (t) => {
  sh(`ip link add host-100 type dummy; ip addr add 10.1.1.1/24 dev host-100; ip -n ${NETNS} link add vx300 type dummy`)
  const before = sh(`ip -d link show host-100; ip -d -n ${NETNS} link show vx300`)
  const failures = await machine().pass(whole)
  t.true(failures.every(({ for: ref }) => ['red', 'plain'].includes(ref.name)))
  t.deepEqual(
    failures
      .filter(({ reason }) => reason === 'NameTaken')
      .map(({ for: ref }) => ref.name)
      .toSorted(),
    ['plain', 'red', 'red'],
  )
  t.is(sh(`ip -d link show host-100; ip -d -n ${NETNS} link show vx300`), before)
  t.true(sh('ip -br addr show host-200').includes('192.169.20.2/24'))
  sh(`ip link del host-100; ip -n ${NETNS} link del vx300`)
  await machine().converges(t, whole)
  sh('ip link add br-user type bridge; ip link add d0 type dummy; ip link set d0 master br-user')
  sh(`ip -n ${NETNS} link add vrf-user type vrf table 5; ip -n ${NETNS} route add 9.9.9.0/24 dev lo proto 99`)
  await machine().kernel.uninstall()
  t.regex(sh(`ip -br link; ip -n ${NETNS} -br link; ip -n ${NETNS} route`), /br-user[^]*d0[^]*vrf-user[^]*9\.9\.9\.0/)
  sh('ip link del br-user; ip link del d0')
})

test.serial("a user's bridge that is missing is waited for; the rest of the segment is there", async (t) => {
  const wanted = plan({
    segments: [{ ...plain, hostMaster: { type: 'LinuxBridge', name: 'br-user', autoCreate: false } }],
  })
  const failures = await machine().pass(wanted)
  t.deepEqual(
    failures.map(({ reason }) => reason),
    ['MasterMissing'],
  )
  t.true(sh('ip -br link show host-300').includes('UP'))
  sh('ip link add br-user type bridge; ip link set br-user up')
  await machine().converges(t, wanted)
  t.true(sh('ip link show host-300').includes('master br-user'))
  await machine().converges(t, plan({ segments: [plain] }))
  t.false(sh('ip link show host-300').includes('master'))
  sh('ip link set host-300 master br-user; ip addr add 10.30.0.9/24 dev host-300')
  await machine().converges(t, plan({ segments: [plain] }))
  t.true(sh('ip link show host-300; ip addr show host-300').includes('master br-user'))
  t.true(sh('ip addr show host-300').includes('10.30.0.9'))
  sh('ip link del br-user')
})

test.serial('a NIC that is not there fails the underlay; it is taken up when it appears', async (t) => {
  const wanted = plan({ router: { ...whole.router!, interfaces: ['eth1', 'eth7'] } })
  const failures = await machine().pass(wanted)
  t.deepEqual(
    failures.map(({ reason, for: ref }) => [reason, ref.kind]),
    [['NicMissing', 'Underlay']],
  )
  t.true(sh(`ip -n ${NETNS} -br addr show eth1`).includes('192.168.10.11/24'))
  sh('ip link add eth7 type veth peer name far7 netns cable; ip addr add 10.7.0.1/24 dev eth7')
  await machine().converges(t, wanted)
  t.true(sh(`ip -n ${NETNS} -br addr show eth7`).includes('10.7.0.1/24'))
  sh(`ip -n ${NETNS} link del eth7`)
  t.is((await machine().pass(wanted))[0]?.reason, 'NicMissing')
  sh('ip link add eth7 type veth peer name far7 netns cable; ip addr add 10.8.0.1/24 dev eth7')
  await machine().converges(t, wanted)
  t.true(sh(`ip -n ${NETNS} -br addr show eth7`).includes('10.8.0.1/24'))
  await machine().converges(t, plan({}))
  t.true(sh('ip -br addr show eth7').includes('10.8.0.1/24'))
  sh('ip link del eth7')
})

test.serial('a change by others is told, neighbours and FRR routes are not', async (t) => {
  await machine().converges(t, whole)
  machine().still()
  const told: number[] = []
  t.teardown(machine().kernel.onChange(() => void told.push(performance.now())))
  sh(`ip -n ${NETNS} neigh add 192.168.10.77 lladdr 02:00:00:00:00:77 dev eth1
    ip -n ${NETNS} route add 9.9.9.0/24 dev eth1 proto 186`)
  await setTimeout(200)
  t.deepEqual(told, [])
  sh(`ip -n ${NETNS} link set vx100 mtu 1300; ip link set host-200 mtu 1300`)
  for (const end = performance.now() + 60_000; told.length === 0 && performance.now() < end;) await setTimeout(50)
  await setTimeout(300)
  t.is(told.length, 1)
})
