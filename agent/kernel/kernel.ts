/**
 * The kernel side of the agent, as the reconciler sees it (it is the reconciler's KernelPort).
 *
 * Call `await fs.promises.stat('/')` once before: it starts libuv's threads, which must not be born in the router's
 * namespace. Every call looks at the kernel and the NICs' records on disk anew.
 */
import type { NodePlan, ResourceRef } from '../../api/plan/node-plan.ts'
import { apply } from './apply.ts'
import { desired } from './desired.ts'
import { diff } from './diff.ts'
import { asOne, perform, together } from './effect.ts'
import { Namespaces } from './namespaces.ts'
import { subscribe, type NetlinkEvent } from './netlink/events.ts'
import { getLink } from './netlink/link.ts'
import { watchTcpClosed } from './netlink/tcp-closed.ts'
import { NicMover } from './nic/move.ts'
import { factsOf } from './nic/record.ts'
import { NicStore } from './nic/store.ts'
import type { DatapathShape, MachineFacts, NicFacts, Place } from './objects.ts'
import { observe } from './observe.ts'
import type { Observed } from './observed.ts'
import type { KernelFailure, Operation } from './operation.ts'
import { PROTOCOL } from './owner.ts'
import { probeSingleVxlan } from './probe.ts'
import { knownPlaces } from './shape/place.ts'
import { runningShape, ShapeSwitch, type SwitchState } from './shape/shape-switch.ts'
import { readTables } from './tables.ts'
import { unsupported, type Unsupported } from './unsupported.ts'
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
  readonly #warn: (message: string, ref: ResourceRef) => void
  #shape: DatapathShape = 'per-vni'
  /** Where VNIs of the single shape were wanted last: what somebody deletes comes back where it was. */
  #places: ReadonlyMap<number, Place> = new Map()
  #switch: ShapeSwitch | undefined
  /** What failed since the last look, by object: later stages do not build on it. */
  readonly #failed = new Map<string, KernelFailure>()

  private constructor(options: KernelOptions) {
    this.#namespaces = new Namespaces(options.netns)
    this.#store = new NicStore(options.stateDir)
    this.#nics = new NicMover(this.#namespaces, this.#store)
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

  observe(): Observed {
    this.#namespaces.refresh()
    return observe(readTables(this.#namespaces), this.#store.all())
  }

  /** Why this kernel cannot have the single shape; undefined when it can. Throws when it cannot be tried. */
  probeSingle(): string | undefined {
    return probeSingleVxlan(this.#namespaces)
  }

  /** The shape that VNIs are in now. */
  get runningShape(): DatapathShape | undefined {
    return runningShape(this.observe().objects)
  }

  /** The shape that plans are laid out in from now on. */
  useShape(shape: DatapathShape): void {
    this.#shape = shape
  }

  /** While the node changes from one shape to the other. */
  get switching(): SwitchState | undefined {
    return this.#switch?.state
  }

  /** What the NICs of the plan are, or were before they moved; and where VNIs are. */
  facts(plan: NodePlan, have: Observed): MachineFacts {
    const nics: Record<string, NicFacts> = {}
    for (const name of plan.router?.interfaces ?? []) {
      const record = plan.router === undefined ? undefined : this.#nics.look(name, plan.router.for)
      if (record !== undefined) nics[name] = factsOf(record)
    }
    if (this.#shape === 'per-vni') return { nics, datapath: { shape: this.#shape } }
    return { nics, datapath: { shape: this.#shape, places: knownPlaces(have.objects, this.#places) } }
  }

  /** Reads what the kernel has and compares it with the plan; writes nothing but the namespace itself when it is gone. */
  async differences(plan: NodePlan): Promise<Differences> {
    this.#failed.clear()
    const have = this.observe()
    const operations = this.#compare(plan, have)
    const from = runningShape(have.objects, this.#shape)
    this.#switch =
      from === undefined || from === this.#shape ? undefined : new ShapeSwitch(from, this.#shape, operations)
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

  #compare(plan: NodePlan, have: Observed): readonly Operation[] {
    const want = desired(plan, this.facts(plan, have))
    this.#places = knownPlaces(want)
    return diff(want, have)
  }

  /**
   * Does the operations in order; one that fails does not keep others from being done unless they need it. `done` is told
   * how many were finished.
   */
  apply(
    operations: readonly Operation[],
    signal?: AbortSignal,
    done?: (count: number) => void,
  ): Promise<readonly KernelFailure[]> {
    const world = this.#world()
    const performer = { together, asOne, perform: (some: readonly Operation[]) => this.#perform(some, world) }
    return apply(operations, performer, this.#failed, { signal, done })
  }

  #perform(operations: readonly Operation[], world: World): ReturnType<typeof perform> {
    const outcome = perform(operations, world)
    for (const operation of operations) this.#switch?.done(operation)
    return outcome
  }

  #world(): World {
    return {
      namespaces: this.#namespaces,
      nics: this.#nics,
      send: (namespace, requests) => this.#namespaces.netlink(namespace).batch(requests),
      link: (namespace, name) => getLink(this.#namespaces.netlink(namespace), name),
      index: (namespace, name) => getLink(this.#namespaces.netlink(namespace), name)?.index,
      noteVnis: () => {},
      noteMacs: () => {},
      distrust: () => {},
      warn: (message, operation) => this.#warn(message, operation.for),
    }
  }

  /** What is still different, for after a pass: the first difference of each resource. */
  async verify(plan: NodePlan): Promise<readonly KernelFailure[]> {
    const first = new Map<string, KernelFailure>()
    for (const operation of this.#compare(plan, this.observe())) {
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
   * Something that is observed changed in one of the namespaces (neighbours and forwarding entries do not count);
   * bursts are one call, an overrun is one too. What the agent does itself is told as well. Returns what ends it.
   */
  onChange(callback: () => void): () => void {
    let timer: NodeJS.Timeout | undefined
    const wake = (events: readonly NetlinkEvent[]): void => {
      if (!events.some(concernsUs)) return
      timer ??= setTimeout(() => {
        timer = undefined
        callback()
      }, QUIET_MS)
    }
    const groups = ['link', 'address', 'route'] as const
    const host = subscribe({ groups: ['link', 'address'] }, wake)
    const router = subscribe({ groups, netns: this.#namespaces.routerPath }, wake)
    return () => {
      clearTimeout(timer)
      host[Symbol.dispose]()
      router[Symbol.dispose]()
    }
  }

  /** A TCP connection of the router ended, most likely a BGP session: a hint, where the kernel gives it. */
  onConnectionClosed(callback: () => void): () => void {
    const watch = watchTcpClosed(this.#namespaces.routerPath, callback)
    return () => watch[Symbol.dispose]()
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
      this.#namespaces.removeRouter()
    }
    return failures
  }

  close(): void {
    this.#namespaces.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** zebra's routes come and go by the thousand. */
function concernsUs(event: NetlinkEvent): boolean {
  return event.type !== 'route' || event.object.protocol === PROTOCOL
}
