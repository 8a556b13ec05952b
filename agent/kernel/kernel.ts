/**
 * The kernel side of the agent, as the reconciler sees it (it is the reconciler's KernelPort).
 *
 * Call `await fs.promises.stat('/')` once before: it starts libuv's threads, which must not be born in the router's
 * namespace. Every call looks at the NICs' records on disk anew, and at what the kernel has told since the last.
 */
import type { NodePlan, ResourceRef } from '../../api/plan/node-plan.ts'
import { apply } from './apply.ts'
import { Comparison } from './comparison.ts'
import { diff } from './diff.ts'
import { asOne, perform, together } from './effect.ts'
import { Namespaces } from './namespaces.ts'
import { Mirror } from './mirror/mirror.ts'
import { listFdb } from './netlink/fdb.ts'
import { watchTcpClosed } from './netlink/tcp-closed.ts'
import { establishedTcp } from './netlink/tcp-established.ts'
import { NicMover } from './nic/move.ts'
import { factsOf } from './nic/record.ts'
import { NicStore } from './nic/store.ts'
import type { DatapathShape, MachineFacts, NicFacts } from './objects.ts'
import { Observation } from './observation.ts'
import type { Observed } from './observed.ts'
import type { KernelFailure, Operation } from './operation.ts'
import { entering, FEW_PORTS, tellAgain, type EnteredPort } from './ports-heard.ts'
import { probeSingleVxlan } from './probe.ts'
import { knownPlaces } from './shape/place.ts'
import { runningShape, ShapeSwitch, type SwitchState } from './shape/shape-switch.ts'
import { unsupported, type Unsupported } from './unsupported.ts'
import { Wishes } from './wishes.ts'
import type { World } from './world.ts'

export interface KernelOptions {
  /** Name of the router's namespace: `nodeleaf` is /run/netns/nodeleaf. Made when it is not there. */
  readonly netns: string
  /** The NICs' records are in `<stateDir>/nics`. */
  readonly stateDir: string
  /** Told what a person should know of an operation that was done. */
  readonly warn?: (message: string, ref: ResourceRef) => void
}

export interface Differences {
  readonly create: readonly Operation[]
  readonly raise: readonly Operation[]
  readonly plug: readonly Operation[]
  /** The node changes from one shape to the other: FRR must have let go of L3VNIs before `create`. */
  readonly switching: boolean
  readonly remove: readonly Operation[]
  /** Always empty: what stands in the way is an operation that is refused, so that what can be done is done. */
  readonly failures: readonly KernelFailure[]
  readonly unsupported: readonly Unsupported[]
}

/** How long a burst of netlink events is collected. */
const QUIET_MS = 50

export class Kernel implements Disposable {
  readonly #namespaces: Namespaces
  readonly #store: NicStore
  readonly #nics: NicMover
  readonly #mirror: Mirror
  readonly #warn: (message: string, ref: ResourceRef) => void
  #shape: DatapathShape = 'per-vni'
  /** The shape of the last comparison. */
  #compared: DatapathShape | undefined
  readonly #comparison = new Comparison()
  readonly #observation = new Observation(this.#comparison)
  readonly #wishes = new Wishes(this.#comparison)
  #switch: ShapeSwitch | undefined
  /** What failed since the last look, by object: later stages do not build on it. */
  readonly #failed = new Map<string, KernelFailure>()
  /** Ports that entered a bridge and may have been heard before FRR knew of it, by name. */
  readonly #entered = new Map<string, Omit<EnteredPort, 'index'>>()
  #applying = 0

  private constructor(options: KernelOptions) {
    this.#namespaces = new Namespaces(options.netns)
    this.#store = new NicStore(options.stateDir)
    this.#nics = new NicMover(this.#namespaces, this.#store)
    this.#mirror = new Mirror(this.#namespaces)
    this.#warn = options.warn ?? (() => {})
  }

  /** Makes the router's namespace when it is not there. Throws what node:fs throws: EPERM without CAP_SYS_ADMIN. */
  static open(options: KernelOptions): Kernel {
    const kernel = new Kernel(options)
    try {
      kernel.#namespaces.refresh()
    } catch (error) {
      kernel.close()
      throw error
    }
    return kernel
  }

  /** Path of the router's namespace. */
  get netnsPath(): string {
    return this.#namespaces.routerPath
  }

  /** Netlink, sysctl and namespace writes since the start. */
  get writes(): number {
    return this.#namespaces.writes
  }

  /** Everything that is there, read anew. */
  observe(): Observed {
    this.#look(true)
    return this.#comparison.observed
  }

  /** Takes up what became different since the last look, or everything; returns whether it was everything. */
  #look(fresh: boolean): boolean {
    this.#namespaces.refresh()
    if (fresh) this.#mirror.distrust()
    const { tables, changes } = this.#mirror.look()
    return this.#observation.take(tables, changes, this.#store.all())
  }

  /** Why this kernel cannot have the single shape; undefined when it can. Throws when it cannot be tried. */
  probeSingle(): string | undefined {
    return probeSingleVxlan(this.#namespaces)
  }

  /** The shape that VNIs are in now. */
  get runningShape(): DatapathShape | undefined {
    this.#look(false)
    return runningShape(this.#comparison.haves)
  }

  /** The shape that plans are laid out in from now on. */
  useShape(shape: DatapathShape): void {
    this.#shape = shape
  }

  /** While the node changes from one shape to the other. */
  get switching(): SwitchState | undefined {
    return this.#switch?.state
  }

  /** What the NICs of the plan are, or were before they moved. */
  #facts(plan: NodePlan): MachineFacts['nics'] {
    const nics: Record<string, NicFacts> = {}
    for (const name of plan.router?.interfaces ?? []) {
      const record = plan.router === undefined ? undefined : this.#nics.look(name, plan.router.for)
      if (record !== undefined) nics[name] = factsOf(record)
    }
    return nics
  }

  /** Reads what the kernel has and compares it with the plan; writes nothing but the namespace itself when it is gone. */
  async differences(plan: NodePlan, fresh = false): Promise<Differences> {
    this.#failed.clear()
    const operations = this.#compare(plan, fresh)
    const of = (stage: Operation['stage']): Operation[] => operations.filter((operation) => operation.stage === stage)
    return {
      create: of('create'),
      raise: of('raise'),
      plug: of('plug'),
      remove: of('remove'),
      switching: this.#switch !== undefined,
      failures: [],
      unsupported: unsupported(plan),
    }
  }

  #compare(plan: NodePlan, fresh: boolean): readonly Operation[] {
    // Where VNIs are is known from everything alone.
    const all = this.#look(fresh) || this.#shape !== this.#compared
    const have = all || this.#switch !== undefined ? this.#comparison.haves : []
    const places = all ? knownPlaces(have, this.#wishes.wanted) : undefined
    this.#wishes.take(plan, this.#facts(plan), this.#shape, places)
    const operations = this.#comparison.operations(all)
    if (all || this.#switch !== undefined) {
      const from = runningShape(have, this.#shape)
      const switches = from !== undefined && from !== this.#shape
      this.#switch = switches ? new ShapeSwitch(from, this.#shape, operations) : undefined
    }
    this.#compared = this.#shape
    return operations
  }

  /**
   * Does the operations in order; one that fails does not keep others from being done unless they need it. `done` is told
   * how many were finished.
   */
  async apply(
    operations: readonly Operation[],
    signal?: AbortSignal,
    done?: (count: number) => void,
  ): Promise<readonly KernelFailure[]> {
    const world = this.#world()
    const performer = { together, asOne, perform: (some: readonly Operation[]) => this.#perform(some, world) }
    this.#applying++
    try {
      return await apply(operations, performer, this.#failed, { signal, done })
    } finally {
      this.#applying--
    }
  }

  #perform(operations: readonly Operation[], world: World): ReturnType<typeof perform> {
    this.#mirror.catchUp()
    const outcome = perform(operations, world)
    if (operations.some(({ object }) => object.type === 'sysctl')) this.#mirror.noteSysctls()
    for (const [at, operation] of operations.entries()) {
      this.#switch?.done(operation)
      const port = outcome[at]?.done === true ? entering(operation) : undefined
      if (port === undefined) continue
      // The last that came stands last.
      this.#entered.delete(port.name)
      this.#entered.set(port.name, port)
    }
    return outcome
  }

  /** Ports of segments that entered a bridge since `tellAgain`, in that order. */
  get entered(): readonly EnteredPort[] {
    if (this.#entered.size === 0) return []
    const { router } = this.#mirror
    return [...this.#entered.values()].flatMap((port) => {
      const link = this.#mirror.link('router', port.name)
      if (link?.master !== undefined && link.master === router.index(port.bridge))
        return [{ ...port, index: link.index }]
      this.#entered.delete(port.name)
      return []
    })
  }

  /** Tells everybody again of the MACs that were learnt behind `entered`: whoever listens knows these ports now. */
  tellAgain(): void {
    const netlink = this.#namespaces.netlink('router')
    const ports = new Set(this.entered.map(({ index }) => index))
    const filters = ports.size <= FEW_PORTS ? [...ports].map((link) => ({ link })) : [{}]
    const entries = filters.flatMap((filter) => listFdb(netlink, filter))
    const requests = tellAgain(entries, ports)
    // What moved meanwhile, or whose port went, is told of by that.
    if (requests.length > 0) netlink.batch(requests)
    this.#entered.clear()
  }

  #world(): World {
    const mirror = this.#mirror
    return {
      namespaces: this.#namespaces,
      nics: this.#nics,
      send: (namespace, requests) => {
        const results = this.#namespaces.netlink(namespace).batch(requests)
        mirror.noteSent(namespace, requests)
        return results
      },
      link: (namespace, name) => mirror.link(namespace, name),
      index: (namespace, name) => mirror[namespace].index(name),
      noteVnis: (change, vxlan, vnis) => mirror.router.noteVnis(change, vxlan, vnis),
      noteMacs: (change, bridge, macs) => mirror.router.noteMacs(change, bridge, macs),
      distrust: (link) => mirror.router.distrust(link),
      warn: (message, operation) => this.#warn(message, operation.for),
    }
  }

  /** What is still different, for after a pass: the first difference of each resource. */
  async verify(plan: NodePlan): Promise<readonly KernelFailure[]> {
    const first = new Map<string, KernelFailure>()
    for (const operation of this.#compare(plan, false)) {
      const key = `${operation.for.kind}/${operation.for.name}`
      const left = operation.refused ?? {
        reason: 'KernelRefused',
        message: `not as it should be: ${operation.text}`,
        permanent: false,
      }
      if (!first.has(key)) first.set(key, { for: operation.for, ...left })
    }
    return [...first.values()]
  }

  /**
   * Something became different since the last look in one of the namespaces: not a neighbour, not a route of others, not
   * a link's carrier. Bursts are one call, an overrun is one too. Returns what ends it; there is one listener at a time.
   */
  onChange(callback: () => void): () => void {
    let timer: NodeJS.Timeout | undefined
    const wake = (): void => {
      timer = undefined
      // What is being done is looked at when it is done.
      if (this.#applying > 0) timer = setTimeout(wake, QUIET_MS)
      else if (this.#mirror.different) callback()
    }
    this.#mirror.onEvent(() => {
      timer ??= setTimeout(wake, QUIET_MS)
    })
    return () => {
      clearTimeout(timer)
      this.#mirror.onEvent()
    }
  }

  /** A TCP connection of the router ended, most likely a BGP session: a hint, where the kernel gives it. */
  onConnectionClosed(callback: () => void): () => void {
    const watch = watchTcpClosed(this.#namespaces.routerPath, callback)
    return () => watch[Symbol.dispose]()
  }

  /** A text for each TCP connection of the router that is established; undefined when the kernel does not say. */
  connections(): readonly string[] | undefined {
    try {
      return establishedTcp(this.#namespaces.sockDiag)
    } catch {
      return undefined
    }
  }

  /**
   * Gives everything back: deletes what nodeleaf made, returns the NICs with what they had, and deletes the router's
   * namespace when nothing of others is left in it. FRR should have ended before. Returns what could not be given back;
   * doing it again goes on from there.
   */
  async uninstall(): Promise<readonly KernelFailure[]> {
    if (!this.#namespaces.routerExists && this.#store.all().size === 0) return []
    this.#failed.clear()
    const failures = await this.apply(diff([], this.observe()))
    const { foreign, objects, moving } = this.observe()
    const left = [...foreign, ...objects.filter((object) => object.type === 'link' && object.kind !== 'loopback')]
    if (failures.length === 0 && moving.length === 0 && !left.some(({ namespace }) => namespace === 'router')) {
      // An open socket keeps a namespace alive.
      this.#mirror.close()
      this.#namespaces.removeRouter()
    }
    return failures
  }

  close(): void {
    this.#mirror.close()
    this.#namespaces.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
