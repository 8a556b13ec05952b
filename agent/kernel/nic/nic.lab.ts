import test from 'ava'
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { NodePlan } from '../../../api/plan/node-plan.ts'
import { Machine, NETNS, settled, sh } from '../golden/machine.ts'
import { empty, plan } from '../golden/sample.ts'
import { NIC_MOVE_STEPS, NIC_RETURN_STEPS } from './move.ts'

let machine: Machine
test.beforeEach(() => void (machine = new Machine()))
test.afterEach.always(() => machine.destroy())

function crash(at: string, wanted: NodePlan): string | null {
  const child = join(import.meta.dirname, 'crash-child.ts')
  const { signal } = spawnSync(
    process.execPath,
    ['--single-threaded', child, machine.stateDir, JSON.stringify(wanted)],
    {
      env: { ...process.env, NODELEAF_CRASH_AT: at },
    },
  )
  return signal
}

const carried = (): string => sh(`ip -n ${NETNS} -br addr show eth1; ip -n ${NETNS} route; ip -n ${NETNS} -6 route`)

for (const [index, step] of NIC_MOVE_STEPS.entries()) {
  test.serial(`killed after "${step}" of the way in, the agent goes on from there`, async (t) => {
    const before = machine.snapshot()
    t.is(crash(`nic-move:${index + 1}`, plan({})), 'SIGKILL')
    await machine.converges(t, plan({}))
    t.regex(
      carried(),
      /192.168.10.11\/24[^]*fd00:10::11\/64[^]*172.16.0.0\/16 via 192.168.10.1[^]*fd99::\/64 via fd00:10::1/,
    )
    await machine.converges(t, empty)
    t.deepEqual(await settled(() => machine.snapshot(), before), before)
  })

  test.serial(`killed after "${step}" of the way in, the NIC can be given back as it was`, async (t) => {
    const before = machine.snapshot()
    t.is(crash(`nic-move:${index + 1}`, plan({})), 'SIGKILL')
    t.deepEqual(await machine.kernel.uninstall(), [])
    t.deepEqual(await settled(() => machine.snapshot(), before), before)
  })
}

for (const [index, step] of NIC_RETURN_STEPS.entries()) {
  test.serial(`killed after "${step}" of the way back, the agent goes on from there`, async (t) => {
    const before = machine.snapshot()
    await machine.converges(t, plan({}))
    t.is(crash(`nic-return:${index + 1}`, empty), 'SIGKILL')
    await machine.converges(t, empty)
    t.deepEqual(await settled(() => machine.snapshot(), before), before)
  })
}

test.serial('killed on the way back, the NIC can be brought in again and keeps its record', async (t) => {
  const before = machine.snapshot()
  await machine.converges(t, plan({}))
  for (const step of [3, 6]) {
    crash(`nic-return:${step}`, empty)
    await machine.converges(t, plan({}))
    t.regex(carried(), /192.168.10.11\/24[^]*172.16.0.0\/16 via/)
  }
  await machine.converges(t, empty)
  t.deepEqual(await settled(() => machine.snapshot(), before), before)
})

test.serial(
  'the record is readable by its owner only; a name that is taken on the host keeps the NIC until it is free',
  async (t) => {
    await machine.converges(t, plan({}))
    t.is(statSync(join(machine.stateDir, 'nics', 'eth1.json')).mode & 0o777, 0o600)
    sh('ip link add eth1 type dummy')
    t.like(await machine.pass(empty), [{ reason: 'NameTaken' }])
    sh('ip link del eth1')
    await machine.converges(t, empty)
    t.true(sh('ip -br addr show eth1').includes('192.168.10.11/24'))
  },
)
