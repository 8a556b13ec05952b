import test from 'ava'
import type { NodePlan, RouterPlan, SegmentPlan } from '../api/plan/node-plan.ts'
import { capabilities } from './frr/capabilities.ts'
import { FrrError } from './frr/frr-error.ts'
import type { CommandResult } from './frr/refusal.ts'
import type { EvpnVni } from './frr/state.ts'
import { failures, FrrAdapter, missingVnis, unsupported, type FrrClient } from './frr-port.ts'
import { FrrAwayError } from './ports.ts'

const red = { kind: 'L3VNI', name: 'red' } as const
const fabric = { kind: 'Underlay', name: 'fabric' } as const
const web = { kind: 'L2VNI', name: 'web' } as const

function plan(vtep: string): NodePlan {
  const router: RouterPlan = {
    for: fabric,
    asn: 64514,
    routerID: '10.0.0.1',
    vteps: [vtep],
    vtepPools: [],
    routerMAC: '02:6e:00:00:00:01',
    interfaces: [],
    neighbors: [],
    maximumPaths: 64,
    multipathRelax: true,
  }
  const segment: SegmentPlan = {
    for: web,
    vni: 110,
    gateways: [],
    gatewayMAC: '02:6e:6c:00:00:6e',
    suppressARP: true,
    importTargets: [],
    exportTargets: [],
  }
  const l3vni = { vni: 100, importTargets: [], exportTargets: [] }
  return { node: 'n', router, vrfs: [{ for: red, name: 'red', table: 10_001, l3vni }], segments: [segment] }
}

function result(line: string, outcome: CommandResult['outcome'], ref?: typeof red | typeof fabric): CommandResult {
  const command = { context: ['router bgp 64514'], line, undo: [], daemons: [], ...(ref ? { for: ref } : {}) }
  return { command, outcome, text: 'unknown command' }
}

const known = (vni: number, type: 'L2' | 'L3', state?: string): EvpnVni => ({
  vni,
  type,
  vrf: 'red',
  vxlanInterface: `vx${vni}`,
  remoteVteps: [],
  macs: 0,
  arps: 0,
  ...(state === undefined ? {} : { state }),
})

test('what FRR refuses fails its resource, with line and answer, without the password', (t) => {
  const found = failures([
    result('neighbor 192.0.2.1 remote-as 1', 'undone', fabric),
    result('neighbor 192.0.2.1 password secret', 'refused', fabric),
    result('neighbor 192.0.2.1 bfd', 'skipped', fabric),
    result('bgp router-id 1.1.1.1', 'ok', red),
  ])
  t.deepEqual(found, [
    {
      for: fabric,
      reason: 'FRRRefused',
      message: 'FRR refused "router bgp 64514 / neighbor 192.0.2.1 password ***": unknown command',
      permanent: false,
    },
  ])
})

test('a line that was skipped is told when nothing else is', (t) => {
  t.is(failures([result('x', 'skipped', red)]).length, 1)
})

test('a VNI is missing until zebra has it, of the right type and up', (t) => {
  const missing = (...vnis: EvpnVni[]): string[] => missingVnis(plan('10.0.0.1'), vnis).map((each) => each.for.name)
  t.deepEqual(missing(), ['red', 'web'])
  t.deepEqual(missing(known(100, 'L3', 'Down'), known(110, 'L2')), ['red'])
  t.deepEqual(missing(known(100, 'L2'), known(110, 'L2')), ['red'])
  t.deepEqual(missing(known(100, 'L3', 'Up'), known(110, 'L2')), [])
})

test('an IPv6 VTEP is unsupported before FRR 10.6, for all that is tunnelled', (t) => {
  const remarks = (vtep: string, version: string): string[] =>
    unsupported(plan(vtep), { version, capabilities: capabilities(version) }).map((each) => each.for.name)
  t.deepEqual(remarks('fd00::1', '10.3'), ['fabric', 'red', 'web'])
  t.deepEqual(remarks('fd00::1', '10.6.1'), [])
  t.deepEqual(remarks('10.0.0.1', '10.3'), [])
})

test('FRR that goes away in the middle is away, other errors are errors', async (t) => {
  const adapter = new FrrAdapter(() => Promise.resolve())
  await t.throwsAsync(adapter.differences(plan('10.0.0.1')), { instanceOf: FrrAwayError })
  const failing = (error: Error): FrrClient => {
    const running = async (): Promise<never> => {
      throw error
    }
    return { connected: true, running } as never
  }
  adapter.connected(failing(new FrrError('disconnected', 'bgpd went away')))
  await t.throwsAsync(adapter.differences(plan('10.0.0.1')), { instanceOf: FrrAwayError, message: /bgpd went away/ })
  adapter.connected(failing(new FrrError('unexpected', 'what?')))
  await t.throwsAsync(adapter.differences(plan('10.0.0.1')), { instanceOf: FrrError })
})

test('a daemon that hangs does not hold up the status, and is asked once', async (t) => {
  let asked = 0
  const never = (): Promise<never> => {
    asked++
    return new Promise(() => {})
  }
  const adapter = new FrrAdapter(async () => {})
  adapter.connected({ connected: true, sessions: never, evpnVnis: async () => [] } as unknown as FrrClient)
  t.is(await adapter.observed(0, 1), undefined)
  t.is(await adapter.observed(0, 1), undefined)
  t.is(asked, 1)
})

test('while FRR is away nothing is observed, at once', async (t) => {
  t.deepEqual(await new FrrAdapter(async () => {}).observed(0), { sessions: [], vnis: [] })
})
