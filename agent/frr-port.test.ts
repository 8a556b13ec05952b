import test from 'ava'
import type { NodePlan, RouterPlan, SegmentPlan } from '../api/plan/node-plan.ts'
import { capabilities } from './frr/capabilities.ts'
import { ownership } from './frr/daemons.ts'
import { desired } from './frr/desired.ts'
import { diff } from './frr/diff.ts'
import { FrrError } from './frr/frr-error.ts'
import { examplePlans } from './frr/example-plans.ts'
import type { ApplyOptions } from './frr/frr.ts'
import { KnownTree } from './frr/known-tree.ts'
import type { CommandResult } from './frr/refusal.ts'
import type { EvpnVni } from './frr/state.ts'
import { enter } from './frr/tree-model.ts'
import { root, type Command } from './frr/tree.ts'
import { failures, FrrAdapter, unsupported, type FrrClient } from './frr-port.ts'
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

/** With segments 200 to 249 in place of the one. */
function fifty(vtep: string): NodePlan {
  const one = plan(vtep)
  const segments = one.segments.flatMap((each) => Array.from({ length: 50 }, (_, at) => ({ ...each, vni: 200 + at })))
  return { ...one, segments }
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

test('a line that was refused because the configuration is locked says what helps', (t) => {
  const text = 'vrf red: % command failed, could not lock running DS'
  const [locked, other] = failures([{ ...result('vni 100', 'skipped', red), text }, result('x', 'refused', fabric)])
    .map(({ message }) => /restart zebra/.test(message))
    .toReversed()
  t.deepEqual([locked, other], [true, false])
})

test('a line that was skipped is told when nothing else is', (t) => {
  t.is(failures([result('x', 'skipped', red)]).length, 1)
})

interface Fake extends FrrClient {
  /** What zebra was asked for: VNIs, or everything. */
  readonly asked: (readonly number[] | 'all' | 'count')[]
  /** How often the configuration was read. */
  reads: number
  refuses: boolean
  /** zebra does not hear what mgmtd takes. */
  deaf: boolean
  /** How often that was feared. */
  doubts: number
  vnis: readonly EvpnVni[]
  /** Daemons that were needed. */
  readonly needed: string[]
  /** Why none more can be had. */
  lacks: FrrError | undefined
}

/** An FRR that takes every line, and knows the VNIs it is told to know. */
function fakeFrr(): Fake {
  let tree = root([])
  const knownTree = new KnownTree()
  const asked: (readonly number[] | 'all' | 'count')[] = []
  const fake = {
    connected: true,
    known: knownTree,
    asked,
    reads: 0,
    refuses: false,
    deaf: false,
    doubts: 0,
    needed: [] as string[],
    lacks: undefined as FrrError | undefined,
    need: async (daemon: string) => {
      fake.needed.push(daemon)
      if (fake.lacks !== undefined) throw fake.lacks
    },
    vnis: [] as readonly EvpnVni[],
    ownership,
    version: '10.3',
    capabilities: capabilities('10.3'),
    running: async () => {
      fake.reads++
      return tree
    },
    apply: async (commands: readonly Command[], _signal: AbortSignal, { becomes }: ApplyOptions = {}) => {
      const sure = becomes?.age === knownTree.age
      knownTree.forget()
      const { age } = knownTree
      if (fake.refuses) return commands.map((command) => ({ command, outcome: 'refused' as const, text: 'no' }))
      tree = commands.reduce((so, { context, line }) => enter(so, context, [line]), tree)
      if (becomes && sure) knownTree.know(becomes.tree, age)
      return commands.map((command) => ({ command, outcome: 'ok' as const, text: '' }))
    },
    vniCount: async () => {
      asked.push('count')
      return fake.vnis.length
    },
    doubt: () => fake.doubts++,
    vrfVnis: async () =>
      (fake.deaf ? [] : tree.body)
        .filter(({ line, body }) => line === 'vrf red' && body.length > 0)
        .map(() => ({ vrf: 'red', vni: 100, vxlanInterface: '', sviInterface: '', state: '', routerMAC: '' })),
    evpnVnis: async (only?: readonly number[]) => {
      asked.push(only ?? 'all')
      return only === undefined ? fake.vnis : fake.vnis.filter(({ vni }) => only.includes(vni))
    },
  }
  return fake as unknown as Fake
}

const goingOn = new AbortController().signal

async function pass(adapter: FrrAdapter, of: NodePlan, fresh?: boolean): Promise<number> {
  const { commands } = await adapter.differences(of, fresh)
  if (commands.length > 0) await adapter.apply(commands, goingOn)
  return commands.length
}

test('a VNI is missing until zebra has it, of the right type, up and on its own link', async (t) => {
  const missing = async (...vnis: EvpnVni[]): Promise<string[]> => {
    const frr = fakeFrr()
    frr.vnis = vnis
    const adapter = new FrrAdapter(async () => {})
    adapter.connected(frr)
    return (await adapter.missing(plan('10.0.0.1'))).map((each) => each.for.name)
  }
  t.deepEqual(await missing(), ['red', 'web'])
  t.deepEqual(await missing(known(100, 'L3', 'Down'), known(110, 'L2')), ['red'])
  t.deepEqual(await missing(known(100, 'L2'), known(110, 'L2')), ['red'])
  t.deepEqual(await missing(known(100, 'L3', 'Up'), known(110, 'L2')), [])
  t.deepEqual(await missing({ ...known(100, 'L3', 'Up'), sviInterface: 'svi110' }, known(110, 'L2')), ['red'])
  t.deepEqual(await missing({ ...known(100, 'L3', 'Up'), sviInterface: 'svi100' }, known(110, 'L2')), [])
  t.deepEqual(await missing({ ...known(100, 'L3', 'Up'), sviInterface: 'br100' }, known(110, 'L2')), [])
})

test('zebra is asked only about VNIs that it did not have, that are new, or that were touched', async (t) => {
  const frr = fakeFrr()
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(frr)
  const first = plan('10.0.0.1')
  const asked = async (of: NodePlan, ...touched: string[]): Promise<unknown> => {
    await adapter.missing(of, new Set(touched))
    return frr.asked.splice(0)
  }
  frr.vnis = [known(110, 'L2')]
  t.deepEqual(await asked(first), [[100, 110]])
  t.deepEqual(await asked(first), [[100]])
  frr.vnis = [known(100, 'L3', 'Up'), known(110, 'L2')]
  t.deepEqual(await asked(first), [[100]])
  t.deepEqual(await asked(first), [])
  t.deepEqual(await asked(first, 'L2VNI/web'), [[110]])
  const [segment] = first.segments
  const more = { ...first, segments: [...first.segments, { ...(segment ?? t.fail()), vni: 120 }] }
  t.deepEqual(await asked(more), [[120]])
  await adapter.differences(more, true)
  t.deepEqual(await asked(more), [[100, 110, 120]])
  adapter.away('gone')
  t.deepEqual(await asked(first), [[100, 110]])
  await adapter.missing(first)
  t.deepEqual(frr.asked, [[100, 110]])
})

test('many VNIs are one question', async (t) => {
  const frr = fakeFrr()
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(frr)
  await adapter.missing(fifty('10.0.0.1'), new Set())
  t.deepEqual(frr.asked, ['all'])
})

test('waiting for VNIs ends when zebra has them, and asks for the whole table only then', async (t) => {
  const frr = fakeFrr()
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(frr)
  const many = fifty('10.0.0.1')
  const waiting = adapter.caughtUp(many, undefined, goingOn)
  while (frr.asked.length < 3) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(new Set(frr.asked), new Set(['count']))
  frr.vnis = [known(100, 'L3', 'Down'), ...many.segments.map(({ vni }) => known(vni, 'L2'))]
  await waiting
  t.deepEqual(frr.asked.slice(-2), ['count', 'all'])

  frr.asked.splice(0)
  await adapter.caughtUp(many, new Set(['L3VNI/red']), goingOn)
  t.deepEqual(frr.asked.splice(0), [[100]])
  await adapter.caughtUp(many, new Set(['L3VNI/other']), goingOn)
  t.deepEqual(frr.asked, [])
})

test('waiting for VNIs ends with the agent', async (t) => {
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(fakeFrr())
  const stop = new AbortController()
  const waiting = adapter.caughtUp(plan('10.0.0.1'), undefined, stop.signal)
  stop.abort()
  await t.notThrowsAsync(waiting)
})

test('after lines that were taken FRR is read once to verify, then not again', async (t) => {
  const frr = fakeFrr()
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(frr)
  const first = plan('10.0.0.1')
  t.true((await pass(adapter, first)) > 0)
  t.is(frr.reads, 1)
  t.is(await pass(adapter, first), 0)
  t.is(frr.reads, 2)
  const other = { ...first, vrfs: [] }
  for (const each of [other, first, other, other]) await pass(adapter, each)
  t.is(frr.reads, 2)
  t.deepEqual(diff(desired(other), await frr.running()), [])
  t.is(await pass(adapter, other, true), 0)
  t.is(frr.reads, 4)
})

test('what runs is kept for a daemon that dies: after changes, and when a fresh look finds it right', async (t) => {
  let kept = 0
  const adapter = new FrrAdapter(async () => {
    kept++
  })
  adapter.connected(fakeFrr())
  const first = plan('10.0.0.1')
  await pass(adapter, first, true)
  t.is(kept, 1)
  await pass(adapter, first)
  t.is(kept, 1)
  await pass(adapter, first, true)
  t.is(kept, 2)
})

test('VNIs of VRFs can be let go of, with all else in place, and come again', async (t) => {
  const frr = fakeFrr()
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(frr)
  const first = plan('10.0.0.1')
  await pass(adapter, first)
  const before = await frr.running()
  for (const again of [false, true]) {
    if (again) await pass(adapter, first)
    t.deepEqual(await adapter.letGo(first, goingOn), [])
    t.deepEqual(await frr.vrfVnis(), [])
    const { commands } = await adapter.differences(first)
    t.deepEqual(
      commands.map(({ text }) => text),
      ['vrf red / vni 100'],
    )
    await adapter.apply(commands, goingOn)
    t.deepEqual(diff(before, await frr.running()), [])
  }
})

test('when zebra does not take what mgmtd took, it may not listen to mgmtd', async (t) => {
  const frr = fakeFrr()
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(frr)
  await pass(adapter, plan('10.0.0.1'))
  t.is(frr.doubts, 0)
  await adapter.letGo(plan('10.0.0.1'), goingOn)
  t.is(frr.doubts, 0)
  frr.deaf = true
  const { commands } = await adapter.differences(plan('10.0.0.1'))
  // The wait is over at once.
  t.deepEqual(await adapter.apply(commands, AbortSignal.abort()), [])
  t.is(frr.doubts, 1)
})

test('after a refusal, a part only, or what somebody else did, FRR is read again', async (t) => {
  const frr = fakeFrr()
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(frr)
  const first = plan('10.0.0.1')
  const other = { ...first, vrfs: [] }
  const settled = async (): Promise<void> => {
    while ((await pass(adapter, first)) > 0);
    t.is(await pass(adapter, first), 0)
    frr.reads = 0
  }
  await settled()
  frr.refuses = true
  await pass(adapter, other)
  frr.refuses = false
  await pass(adapter, other)
  t.is(frr.reads, 1)

  await settled()
  const { commands } = await adapter.differences(other)
  await adapter.apply(commands.slice(1), goingOn)
  t.is((await adapter.differences(other)).commands.length, 1)
  t.is(frr.reads, 1)

  await settled()
  const found = await adapter.differences(other)
  frr.known.forget()
  await adapter.apply(found.commands, goingOn)
  t.is(await pass(adapter, other), 0)
  t.is(frr.reads, 1)
})

test('who wants BFD gets bfdd, and when there is none is told so, alone', async (t) => {
  const frr = fakeFrr()
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(frr)
  const unsupportedIn = async (of: NodePlan): Promise<string[]> =>
    (await adapter.differences(of)).unsupported.map(({ for: ref, message }) => `${ref.name}: ${message}`)
  t.deepEqual(await unsupportedIn(plan('10.0.0.1')), [])
  t.deepEqual(frr.needed, [])
  const bfd = examplePlans['host session with policies'] ?? t.fail()
  t.deepEqual(await unsupportedIn(bfd), [])
  t.deepEqual(frr.needed, ['bfdd'])
  frr.lacks = new FrrError('unreachable', 'FRR does not listen on bfdd.vty: is the daemon running?')
  const [told, ...others] = await unsupportedIn(bfd)
  t.regex(told ?? '', /^red: sessions with BFD stay down: .*bfdd\.vty.*bfdd=yes.*leave bfd out/)
  t.deepEqual(others, [])
  frr.lacks = new FrrError('not-installed', "FRR's bfdd is not installed: install the package frr (apt install frr)")
  t.regex((await unsupportedIn(bfd)).join(), /install the package frr/)
  frr.lacks = new FrrError('disconnected', 'FRR went away')
  await t.throwsAsync(adapter.differences(bfd), { instanceOf: FrrAwayError })
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
    return { connected: true, running, known: new KnownTree() } as never
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

test('a daemon that is late is told of, and so is what the others say', async (t) => {
  const busy = async (): Promise<never> => {
    throw new FrrError('busy', 'FRR runs and does not answer')
  }
  const adapter = new FrrAdapter(async () => {})
  const frr = { connected: true, late: 'zebra', sessions: async () => [], evpnVnis: busy, running: busy }
  adapter.connected({ ...frr, known: new KnownTree() } as unknown as FrrClient)
  t.deepEqual(await adapter.observed(0), { sessions: [], vnis: [] })
  t.like(adapter.state, { state: 'away' })
  t.regex(adapter.state.message ?? '', /^zebra runs and does not answer/)
  await t.throwsAsync(adapter.differences(plan('10.0.0.1')), { instanceOf: FrrAwayError, message: /^zebra runs/ })
})

test('whoever wants all VNIs for a report shares the question', async (t) => {
  const frr = fakeFrr()
  const adapter = new FrrAdapter(async () => {})
  adapter.connected(Object.assign(frr, { sessions: async () => [] }))
  const [one, other, observed] = await Promise.all([adapter.vnis(), adapter.vnis(), adapter.observed(0)])
  t.deepEqual([one, observed?.vnis], [other, other])
  t.deepEqual(frr.asked, ['all'])
  await adapter.vnis()
  t.deepEqual(frr.asked, ['all', 'all'])
})

test('what took FRR long to say is not asked for again at once', async (t) => {
  let asked = 0
  const slowly = async (): Promise<readonly never[]> => {
    asked++
    await new Promise((resolve) => setTimeout(resolve, 600))
    return []
  }
  const adapter = new FrrAdapter(async () => {})
  adapter.connected({ connected: true, sessions: slowly, evpnVnis: async () => [] } as unknown as FrrClient)
  const found = await adapter.observed(0)
  t.is(await adapter.observed(0), found)
  t.is(asked, 1)
  adapter.away('zebra went away')
  await adapter.observed(0)
  t.is(asked, 2)
})

test('while FRR is away nothing is observed, at once', async (t) => {
  t.deepEqual(await new FrrAdapter(async () => {}).observed(0), { sessions: [], vnis: [] })
})
