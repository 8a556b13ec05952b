import test from 'ava'
import type { NodePlan, ResourceRef, SegmentPlan } from '../api/plan/node-plan.ts'
import { createLog } from '../log/log.ts'
import { FrrAwayError, type EnteredPort, type FrrPort, type KernelPort, type Remark, type Step } from './ports.ts'
import { Reconciler } from './reconciler.ts'
import { keyOfRef, resourcesOf, type Failure } from './resource-state.ts'

interface Item extends Step {
  readonly name: string
  readonly gone?: boolean
}

/**
 * A node on which every resource wants one link (made in `create`), one FRR block and one veth (made in `raise`).
 * `did` is everything that was done, in order; what is in `refuse` fails; what is in `lazy` does nothing.
 */
class World {
  readonly did: string[] = []
  readonly have = new Set<string>()
  readonly refuse = new Set<string>()
  readonly lazy = new Set<string>()
  readonly taken: Failure[] = []
  unknown: Remark[] = []
  frrAway = false
  observations = 0
  kernelBroken = false
  plugs = false
  switching = false
  atWork = (): void => {}
  /** Whether each look had to be anew, and what FRR was asked about. */
  readonly fresh: (boolean | undefined)[] = []
  readonly asked: (readonly string[] | undefined)[] = []

  /** Whether FRR knows of the ports that entered a bridge. */
  knowsPorts = true

  readonly kernel: KernelPort<Item> & { writes: number; entered: readonly EnteredPort[] } = {
    differences: async (plan, fresh) => {
      this.observations++
      this.fresh.push(fresh)
      if (this.kernelBroken) throw new Error('netlink is broken')
      const gone = this.#gone(plan, ['link', 'veth'])
      return {
        create: this.#lack(plan, 'link'),
        raise: this.#lack(plan, 'veth'),
        plug: this.#lack(plan, 'plug').filter(() => this.plugs),
        remove: gone,
        failures: this.taken,
        unsupported: [],
        switching: this.switching,
      }
    },
    apply: async (items, _signal, done) => {
      this.kernel.writes += items.length
      return this.#make(items, done)
    },
    entered: [],
    tellAgain: () => {
      this.did.push(`tell of ${this.kernel.entered.map(({ name }) => name).join()} again`)
      this.kernel.entered = []
    },
    writes: 0,
  }

  readonly frr: FrrPort<Item> & { commands: number } = {
    differences: async (plan) => {
      this.#askFrr()
      return { commands: [...this.#gone(plan, ['frr']), ...this.#lack(plan, 'frr')], unsupported: [] }
    },
    apply: async (items, _signal, done) => {
      this.#askFrr()
      this.frr.commands += items.length
      return this.#make(items, done)
    },
    missing: async (_plan, touched) => {
      this.#askFrr()
      this.asked.push(touched && [...touched])
      return this.unknown
    },
    letGo: async (plan) => {
      this.did.push('let go')
      for (const { name } of resourcesOf(plan).values()) this.have.delete(`frr ${name}`)
      return []
    },
    caughtUp: async (_plan, touched) => {
      this.did.push(`wait for ${[...touched].join()}`)
    },
    knowsPort: async ({ name, bridge }) => {
      this.#askFrr()
      this.did.push(`wait for ${name} in ${bridge}`)
      return this.knowsPorts
    },
    commands: 0,
  }

  #item(kind: string, ref: ResourceRef): Item {
    return { name: `${kind} ${ref.name}`, text: `add ${kind} ${ref.name}`, for: ref }
  }

  #lack(plan: NodePlan, kind: string): Item[] {
    return [...resourcesOf(plan).values()]
      .map((ref) => this.#item(kind, ref))
      .filter((item) => !this.have.has(item.name))
  }

  #gone(plan: NodePlan, kinds: readonly string[]): Item[] {
    const wanted = new Set([...resourcesOf(plan).values()].map((ref) => ref.name))
    return [...this.have].flatMap((name) => {
      const [kind = '', resource = ''] = name.split(' ')
      if (!kinds.includes(kind) || wanted.has(resource)) return []
      const ref: ResourceRef = { kind: 'L2VNI', name: resource }
      return [{ name, gone: true, text: `delete ${name}`, ...(kind === 'frr' ? {} : { for: ref }) }]
    })
  }

  #make(items: readonly Item[], done?: (count: number) => void): Failure[] {
    return items.flatMap((item) => {
      this.did.push(item.text)
      done?.(1)
      this.atWork()
      if (this.refuse.has(item.name)) {
        return [{ ...(item.for ? { for: item.for } : {}), reason: 'Refused', message: item.text, permanent: false }]
      }
      if (this.lazy.has(item.name)) return []
      if (item.name.startsWith('plug ') && item.for !== undefined) {
        const port = { name: item.name, index: 7, bridge: 'br', for: item.for }
        this.kernel.entered = [...this.kernel.entered, port]
      }
      if (item.gone) this.have.delete(item.name)
      else this.have.add(item.name)
      return []
    })
  }

  #askFrr(): void {
    if (this.frrAway) throw new FrrAwayError('nobody listens')
  }
}

function segment(name: string): SegmentPlan {
  return {
    for: { kind: 'L2VNI', name },
    vni: 1,
    gateways: [],
    gatewayMAC: '',
    suppressARP: true,
    importTargets: [],
    exportTargets: [],
  }
}

function setup(...names: string[]) {
  const world = new World()
  const lines: string[] = []
  const time = { now: 1_000_000 }
  const log = createLog({
    level: 'info',
    format: 'kv',
    write: (line) => lines.push(line),
    now: () => new Date(time.now),
  })
  const clock = { now: () => time.now, random: () => 0 }
  const reconciler = new Reconciler(world.kernel, world.frr, log, clock)
  const want = (...wanted: string[]): void =>
    reconciler.want({
      plan: { node: 'n', vrfs: [], segments: wanted.map(segment) },
      revision: wanted.join('+'),
      refused: [],
      from: 'configuration',
    })
  want(...names)
  const pass = (reason = 'test'): Promise<void> => reconciler.pass([reason], new AbortController().signal)
  const states = (): Record<string, string> =>
    Object.fromEntries(reconciler.resources.map(({ ref, state }) => [keyOfRef(ref), state.state]))
  return { world, reconciler, want, pass, states, lines, time }
}

test('links are made, then FRR is told, then veths are raised', async (t) => {
  const { world, pass, states } = setup('a')
  await pass()
  t.deepEqual(world.did, ['add link a', 'add frr a', 'add veth a'])
  t.deepEqual(states(), { 'L2VNI/a': 'Ready' })
})

test('FRR lets go before links are deleted', async (t) => {
  const { world, pass, want, states } = setup('a')
  await pass()
  world.did.length = 0
  want()
  await pass()
  t.deepEqual(world.did, ['delete frr a', 'delete link a', 'delete veth a'])
  t.deepEqual(states(), {})
})

test('a pass over what is already so does and says nothing', async (t) => {
  const { world, pass, lines, reconciler } = setup('a', 'b')
  await pass()
  const [did, said, observations] = [world.did.length, lines.length, world.observations]
  await pass('netlink')
  t.is(world.did.length, did)
  t.is(lines.length, said)
  t.is(world.observations, observations + 1)
  t.like(reconciler.lastPass, { netlinkWrites: 0, frrCommands: 0, reasons: ['netlink'] })
  t.is(reconciler.dueMs, undefined)
})

test('an agent that comes back adopts what is there', async (t) => {
  const { world, pass } = setup('a')
  await pass()
  const second = new Reconciler(
    world.kernel,
    world.frr,
    createLog({ level: 'info', format: 'kv', write: () => {}, now: () => new Date() }),
    {
      now: () => 0,
      random: () => 0,
    },
  )
  second.want({
    plan: { node: 'n', vrfs: [], segments: [segment('a')] },
    revision: 'a',
    refused: [],
    from: 'configuration',
  })
  const did = world.did.length
  await second.pass(['start'], new AbortController().signal)
  t.is(world.did.length, did)
  t.is(second.appliedRevision, 'a')
})

test('a resource that fails ends its own work and no other', async (t) => {
  const { world, pass, states } = setup('a', 'b')
  world.refuse.add('link a')
  await pass()
  t.deepEqual(states(), { 'L2VNI/a': 'Failed', 'L2VNI/b': 'Ready' })
  t.false(world.did.includes('add frr a'))
  t.false(world.did.includes('add veth a'))
})

test('a line that FRR refuses keeps that resource down, no other', async (t) => {
  const { world, pass, states } = setup('a', 'b')
  world.refuse.add('frr a')
  await pass()
  t.deepEqual(states(), { 'L2VNI/a': 'Failed', 'L2VNI/b': 'Ready' })
  t.false(world.did.includes('add veth a'))
})

test('a failure waits for its next try, whatever wakes the reconciler', async (t) => {
  const { world, pass, states, time, reconciler } = setup('a')
  world.refuse.add('link a')
  await pass()
  const tries = (): number => world.did.filter((text) => text === 'add link a').length
  t.is(tries(), 1)
  t.is(reconciler.dueMs, 1000)
  for (let wakes = 0; wakes < 5; wakes++) await pass('netlink')
  t.is(tries(), 1)
  time.now += 1000
  await pass('retry')
  t.is(tries(), 2)
  t.is(reconciler.dueMs, 2000)
  world.refuse.clear()
  time.now += 2000
  await pass('retry')
  t.deepEqual(states(), { 'L2VNI/a': 'Ready' })
})

test('a failure that was repaired by someone else is ready without a try', async (t) => {
  const { world, pass, states } = setup('a')
  world.refuse.add('link a')
  await pass()
  for (const kind of ['link', 'frr', 'veth']) world.have.add(`${kind} a`)
  await pass('netlink')
  t.deepEqual(states(), { 'L2VNI/a': 'Ready' })
})

test('another plan tries again at once', async (t) => {
  const { world, pass, want, states } = setup('a')
  world.refuse.add('link a')
  await pass()
  world.refuse.clear()
  want('a', 'b')
  await pass('source')
  t.deepEqual(states(), { 'L2VNI/a': 'Ready', 'L2VNI/b': 'Ready' })
})

test('a name that is taken fails its resource without a write for it', async (t) => {
  const { world, pass, states, reconciler } = setup('a', 'b')
  world.taken.push({
    for: { kind: 'L2VNI', name: 'a' },
    reason: 'NameTaken',
    message: 'br1 is not ours',
    permanent: true,
  })
  await pass()
  t.deepEqual(states(), { 'L2VNI/a': 'Failed', 'L2VNI/b': 'Ready' })
  t.false(world.did.some((text) => text.endsWith(' a')))
  t.is(reconciler.dueMs, 300_000)
  world.taken.length = 0
  for (const kind of ['link', 'frr', 'veth']) world.have.add(`${kind} a`)
  await pass('netlink')
  t.deepEqual(states(), { 'L2VNI/a': 'Ready', 'L2VNI/b': 'Ready' })
})

test('while FRR is away the kernel is worked on, but nothing is removed under it', async (t) => {
  const { world, pass, want, states, reconciler } = setup('old')
  await pass()
  world.did.length = 0
  world.frrAway = true
  want('new')
  await pass()
  t.deepEqual(world.did, ['add link new', 'add veth new'])
  t.is(states()['L2VNI/new'], 'Applying')
  t.is(reconciler.frrAway, 'nobody listens')
  world.frrAway = false
  await pass('frr')
  t.deepEqual(states(), { 'L2VNI/new': 'Ready' })
  t.false(world.have.has('link old'))
})

test('what does not stay applied is reported, not applied for ever', async (t) => {
  const { world, pass, states } = setup('a')
  world.lazy.add('frr a')
  await pass()
  t.deepEqual(states(), { 'L2VNI/a': 'Failed' })
  const tries = world.did.filter((text) => text === 'add frr a').length
  await pass('netlink')
  t.is(world.did.filter((text) => text === 'add frr a').length, tries)
})

test('a resource is not ready before FRR knows its VNI', async (t) => {
  const { world, pass, states, reconciler, time } = setup('a')
  world.unknown = [{ for: { kind: 'L2VNI', name: 'a' }, message: 'zebra does not know VNI 1' }]
  await pass()
  t.deepEqual(states(), { 'L2VNI/a': 'Applying' })
  t.is(reconciler.dueMs, 500)
  time.now += 8000
  t.is(reconciler.dueMs, 8000)
  world.unknown = []
  await pass('look')
  t.deepEqual(states(), { 'L2VNI/a': 'Ready' })
})

test('a pass that breaks down calls nothing ready and says why', async (t) => {
  const { world, pass, states, reconciler } = setup('a')
  world.kernelBroken = true
  await pass()
  t.deepEqual(states(), { 'L2VNI/a': 'Pending' })
  t.like(reconciler.nodeState, { state: 'Failed', message: 'netlink is broken' })
  world.kernelBroken = false
  await pass('retry')
  t.deepEqual(states(), { 'L2VNI/a': 'Ready' })
  t.is(reconciler.nodeState, undefined)
})

test('without a plan nothing is looked at', async (t) => {
  const { world } = setup()
  const reconciler = new Reconciler(
    world.kernel,
    world.frr,
    createLog({ level: 'info', format: 'kv', write: () => {}, now: () => new Date() }),
    {
      now: () => 0,
      random: () => 0,
    },
  )
  await reconciler.pass(['start'], new AbortController().signal)
  t.is(world.observations, 0)
})

test('a plan that changes during a pass is tried at once by the next one', async (t) => {
  const { world, pass, want, states } = setup('a')
  world.refuse.add('link a')
  const running = pass()
  want('a', 'b')
  await running
  world.refuse.clear()
  await pass('source')
  t.deepEqual(states(), { 'L2VNI/a': 'Ready', 'L2VNI/b': 'Ready' })
})

test('an agent that is stopped in the middle of a pass blames nothing', async (t) => {
  const { world, reconciler, lines } = setup('a')
  const controller = new AbortController()
  const { apply } = world.kernel
  const stopping = Object.assign(world.kernel, {
    apply: (items: readonly never[], signal: AbortSignal) => {
      controller.abort()
      return apply(items, signal)
    },
  })
  await reconciler.pass(['test'], controller.signal)
  t.is(stopping, world.kernel)
  t.false(lines.some((line) => /Ready|failed/.test(line)))
})

test('a stop that leaves work undone is no failure', async (t) => {
  const { world, reconciler, lines } = setup('a')
  const controller = new AbortController()
  world.kernel.apply = async () => {
    world.kernel.writes++
    controller.abort()
    return []
  }
  await reconciler.pass(['test'], controller.signal)
  t.deepEqual(lines, [])
})

test('what cannot be removed stays known until its next try', async (t) => {
  const { world, pass, want, states, reconciler, time } = setup('a')
  await pass()
  world.refuse.add('veth a')
  want()
  await pass('source')
  t.deepEqual(states(), { 'L2VNI/a': 'Failed' })
  for (let wakes = 0; wakes < 3; wakes++) await pass('netlink')
  t.deepEqual(states(), { 'L2VNI/a': 'Failed' })
  t.is(reconciler.dueMs, 1000)
  t.not(reconciler.appliedRevision, '')
  world.refuse.clear()
  time.now += 1000
  await pass('retry')
  t.deepEqual(states(), {})
  t.is(reconciler.appliedRevision, '')
})

test('the slow resync and who asks look at everything anew, once a pass; events do not', async (t) => {
  const { world, pass, want } = setup('a')
  await pass('start')
  t.deepEqual(world.fresh, [true, false])
  for (const reason of ['netlink', 'source', 'frr', 'retry']) await pass(reason)
  t.deepEqual(world.fresh.splice(0), [true, false, false, false, false, false])
  await pass('resync')
  await pass('asked')
  t.deepEqual(world.fresh, [true, true])
  want('a', 'b')
  world.fresh.length = 0
  await pass('resync')
  t.deepEqual(world.fresh, [true, false])
})

test('FRR is asked about all VNIs at first and after it was away, else about those that were touched', async (t) => {
  const { world, pass, want } = setup('a', 'b')
  await pass('start')
  await pass('netlink')
  want('a', 'b', 'c')
  await pass('source')
  t.deepEqual(world.asked.splice(0), [undefined, [], ['L2VNI/c']])
  world.frrAway = true
  want('a', 'b')
  await pass('source')
  world.frrAway = false
  await pass('frr')
  await pass('netlink')
  await pass('resync')
  t.deepEqual(world.asked, [undefined, [], undefined])
})

test('what is plugged in waits until FRR has caught up with the rest', async (t) => {
  const { world, pass, want } = setup('a')
  world.plugs = true
  await pass()
  const of = (name: string) => [`add link ${name}`, `add frr ${name}`, `add veth ${name}`, `wait for L2VNI/${name}`]
  const then = (name: string) => [`add plug ${name}`, `wait for plug ${name} in br`, `tell of plug ${name} again`]
  t.deepEqual(world.did.splice(0), [...of('a'), ...then('a')])
  want('a', 'b')
  await pass()
  t.deepEqual(world.did, [...of('b'), ...then('b')])
})

test('what was learnt behind ports is told again when FRR knows the last of them, and holds up nothing else', async (t) => {
  const { world, pass, want } = setup('a', 'b')
  await pass()
  world.plugs = true
  world.did.length = 0
  want('b', 'c')
  await pass()
  const after = world.did.slice(world.did.indexOf('delete link a'))
  t.deepEqual(after.slice(-2), ['wait for plug c in br', 'tell of plug b,plug c again'])
  await pass()
  t.is(world.did.filter((text) => text.startsWith('tell of')).length, 1)
})

test('a resource is not ready while FRR does not know its port, and is told of as soon as it does', async (t) => {
  const { world, pass, states, reconciler } = setup('a')
  world.plugs = true
  world.knowsPorts = false
  await pass()
  t.false(world.did.some((text) => text.startsWith('tell of')))
  t.deepEqual(states(), { 'L2VNI/a': 'Applying' })
  t.is(reconciler.dueMs, 500)
  world.knowsPorts = true
  await pass('look')
  t.is(world.did.at(-1), 'tell of plug a again')
  t.deepEqual(states(), { 'L2VNI/a': 'Ready' })
})

test('a pass says how far it is while it runs, in the log once a second and no sooner', async (t) => {
  const names = Array.from({ length: 100 }, (_, at) => `s${at}`)
  const { world, pass, reconciler, lines, time } = setup(...names)
  const seen: string[] = []
  world.atWork = () => {
    time.now += 20
    const { doing, done, total } = reconciler.progress ?? {}
    seen.push(`${doing} ${done}/${total}`)
  }
  const began = time.now
  await pass()
  t.is(seen[0], 'making links 1/300')
  t.is(seen[99], 'making links 100/300')
  t.is(seen[100], 'configuring FRR 101/300')
  t.is(seen[250], 'raising links 251/300')
  t.is(reconciler.progress, undefined)
  t.true([...reconciler.phases.values()].every((ms) => ms >= 0))
  t.is([...reconciler.phases.keys()][0], 'looking')
  const said = lines.filter((line) => line.includes('at work'))
  t.is(said.length, Math.floor((time.now - began) / 1000))
  t.regex(said[0] ?? '', /doing="making links" done=5\d of=300 seconds=1/)
})

test('while the datapath changes its shape FRR lets go of its L3VNIs before the kernel does anything, and gets them back', async (t) => {
  const { world, pass, states } = setup('a')
  await pass()
  world.did.length = 0
  world.switching = true
  world.have.delete('link a')
  world.have.delete('veth a')
  await pass()
  t.deepEqual(world.did.slice(0, 4), ['let go', 'add link a', 'add frr a', 'add veth a'])
  world.switching = false
  await pass()
  t.deepEqual(states(), { 'L2VNI/a': 'Ready' })
})

test('what becomes ready is told one by one, hundreds at once in one line', async (t) => {
  const told = async (count: number): Promise<string[]> => {
    const { pass, lines } = setup(...Array.from({ length: count }, (_, at) => `s${at}`))
    await pass()
    return lines.filter((line) => line.includes('Ready'))
  }
  t.is((await told(3)).length, 3)
  const lines = await told(300)
  t.is(lines.length, 1)
  t.regex(lines[0] ?? '', /msg="resources are Ready" count=300/)
})

test('only a look at everything counts as one', async (t) => {
  const { pass, reconciler } = setup('a')
  await pass('start')
  const first = reconciler.lastLook
  await pass('netlink')
  t.is(reconciler.lastLook, first)
  await pass('resync')
  t.true(reconciler.lastLook.endMs > first.endMs)
})
