/**
 * The plan of this node, from the files on it and from the controller, where there is one.
 *
 * Whatever cannot be known leaves the plan as it was; after a boot, that is the last good one from the disk. A plan is on
 * the disk before anybody is told of it.
 */
import { contains, networkOf, parseAddress, parsePrefix } from '../../api/address/prefix.ts'
import { recordedAddresses } from '../../api/plan/node-facts.ts'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import type { NodeFacts } from '../../api/plan/node-facts.ts'
import type { Snapshot } from '../../api/snapshot/snapshot.ts'
import { messageOf } from '../../log/log.ts'
import { resourcesOf } from '../resource-state.ts'
import type { Combined, Declared } from './combine.ts'
import type * as FileReader from './file-reader.ts'
import { InternedPlans } from './interned-plan.ts'
import { controllersAlone, isKept, lastGoodOf, type Kept } from './kept.ts'
import { LastGoodStore, type Loaded } from './last-good.ts'
import type { StoredNumbers } from './last-good-file.ts'
import type { NodeIdentity } from './node-number.ts'
import { changeBetween, restoredPlan, type ControllerPlan } from './plan-updates.ts'
import type { Planned } from './planned.ts'
import { StaticFiles, type FilesReading, type SourceProblem, type StaticFilesOptions } from './static-files.ts'

export interface PlanSourceOptions extends Omit<StaticFilesOptions, 'mayLack'> {
  /** Whether a controller is asked too; without one, what an earlier one said does not count. @default false */
  readonly controller?: boolean
}

export interface SourceReading {
  /** What to apply; absent: nothing is known, leave everything as it is. */
  readonly planned?: Planned
  readonly node: NodeIdentity
  readonly problems: readonly SourceProblem[]
  /** What the files declare and the API overrules; in `problems` too. */
  readonly conflicts: readonly string[]
  readonly files: number
  /** A file is being written, or a problem was solved by this reading: read again soon. */
  readonly unsettled: boolean
  /** Revision on disk. */
  readonly lastGood?: string
}

/** What a plan is made of; the same objects make the same plan. */
interface Ingredients {
  readonly controller: ControllerPlan | undefined
  readonly declared: Declared | undefined
}

export class PlanSource {
  readonly #options: PlanSourceOptions
  #reader: typeof FileReader | undefined
  readonly #files: StaticFiles
  readonly #store: LastGoodStore
  readonly #interned = new InternedPlans()
  /** What is wrong with what is stored, until it is stored anew. */
  #stored: readonly SourceProblem[]
  /** What is on the disk; absent: nothing, or not what this version would write. */
  #kept: Kept | undefined
  #revisionKept: string | undefined
  #current: Planned | undefined
  /** Of the current plan; absent when it was read from the disk. */
  #madeOf: Ingredients | undefined
  #conflicts: readonly string[] = []
  #reading: FilesReading | undefined
  #declared: Declared | undefined
  #controller: ControllerPlan | undefined
  #numbers: StoredNumbers | undefined
  /** There is a plan of the controller for this node, and this version cannot read it. */
  #unreadableFor: string | undefined

  constructor(options: PlanSourceOptions) {
    this.#options = options
    this.#reader = options.reader
    this.#store = new LastGoodStore(options.stateDir)
    const { problems, ...loaded } = this.#store.load()
    this.#stored = problems.map((problem) => ({ where: options.stateDir, message: messageOf(problem) }))
    const stored = { files: loaded.lastGood?.files ?? {}, arrivals: loaded.lastGood?.arrivals ?? {} }
    this.#files = new StaticFiles({ ...options, mayLack: options.controller === true }, stored)
    this.#restore(loaded)
  }

  /** There are files, now or on the disk, and nothing here that understands them: `use` it, or begin again with it. */
  get lacksReader(): boolean {
    return this.#files.lacksReader
  }

  /** Files are understood from the next reading on. */
  use(reader: typeof FileReader): void {
    this.#reader = reader
    this.#files.use(reader)
  }

  /** The controller's plan that is on the disk. */
  get controllerPlan(): ControllerPlan | undefined {
    return this.#controller
  }

  /** Reads everything and plans. Never throws: what is wrong is in `problems`. `nowMs` is the time of day. */
  read(nowMs: number): SourceReading {
    this.#reading = this.#files.read(nowMs)
    return this.#understood(this.#reading)
  }

  /** What the files said at the last reading, with what the controller has said since. */
  readAgain(nowMs: number): SourceReading {
    return this.#reading === undefined ? this.read(nowMs) : this.#understood(this.#reading)
  }

  #understood(files: FilesReading): SourceReading {
    const stored = this.#stored
    const problems: SourceProblem[] = [...stored, ...files.problems]
    try {
      if (this.#declare(files, problems)) this.#plan(this.#controller)
    } catch (error) {
      problems.push({ where: this.#options.configDir, message: messageOf(error) })
    }
    if (this.#unreadableFor !== undefined) problems.push({ where: this.#options.stateDir, message: UNREADABLE })
    for (const message of this.#conflicts) problems.push({ where: this.#options.configDir, message })
    return {
      ...(this.#current === undefined ? {} : { planned: this.#current }),
      node: files.node,
      problems,
      conflicts: this.#conflicts,
      files: files.files,
      unsettled: files.unsettled || stored !== this.#stored,
      ...(this.#revisionKept === undefined ? {} : { lastGood: this.#revisionKept }),
    }
  }

  /** The controller's next plan counts from here on, and is on the disk. @throws LastGoodError; then it does not count. */
  take(next: ControllerPlan): void {
    this.#plan(next)
  }

  /** Before the end: what is on the disk is one whole plan, which agents of before can read. @throws LastGoodError */
  settle(): void {
    if (this.#store.hasChanges && this.#kept !== undefined) this.#store.save(lastGoodOf(this.#kept))
  }

  #restore({ lastGood, changed }: Omit<Loaded, 'problems'>): void {
    if (lastGood === undefined) return
    const { plan, revision, refused, node, controller, numbers } = lastGood
    this.#revisionKept = revision
    this.#current = { plan, revision, refused, from: 'last-good' }
    if (node !== undefined) this.#declared = { snapshot: this.#files.remembered, node }
    if (controller === undefined) this.#kept = this.#keptNow(this.#current)
    if (this.#options.controller !== true || controller === undefined) return
    this.#controller = restoredPlan(plan.node, controller)
    this.#numbers = numbers
    if (this.#controller === undefined) {
      this.#unreadableFor = plan.node
      return
    }
    const { plan: theirs, revision: controllerRevision } = this.#controller
    const own = resourcesOf(theirs)
    const whole = changed || controllerRevision === revision
    const fromFiles = whole ? [] : [...resourcesOf(plan).keys()].filter((key) => !own.has(key))
    this.#current = {
      ...this.#current,
      ...(whole ? { plan: theirs, revision: controllerRevision } : {}),
      ...(changed ? { refused: this.#controller.refused } : {}),
      fromFiles,
      controllerRevision,
    }
    this.#revisionKept = this.#current.revision
    this.#kept = this.#keptNow(this.#current)
  }

  /** Takes up what the files want; false when that is not known, or the node has no number to plan it with. */
  #declare({ snapshot, node }: FilesReading, problems: SourceProblem[]): boolean {
    const { name, labels, number } = node
    if (this.#unreadableFor !== name) this.#unreadableFor = undefined
    if (this.#controller !== undefined && this.#controller.plan.node !== name) this.#forget()
    const own = 'index' in number ? number.index : this.#numbers?.index
    const index = own ?? (this.#needsNoNumber(snapshot) ? 0 : undefined)
    if (index === undefined && 'problem' in number) problems.push({ where: 'node', message: number.problem })
    if (index === undefined || snapshot === undefined) return false
    this.#declared = declared(this.#declared, snapshot, {
      name,
      labels,
      index,
      ...recordedAddresses(snapshot, name, index),
    })
    return true
  }

  /** Where a controller numbers the nodes, only files that want something need a number here. */
  #needsNoNumber(snapshot: Snapshot | undefined): boolean {
    return this.#options.controller === true && !wantsSomething(snapshot)
  }

  /** The node has another name now: what the controller said was for somebody else. */
  #forget(): void {
    this.#controller = undefined
    this.#numbers = undefined
  }

  #plan(controller: ControllerPlan | undefined): void {
    const madeOf: Ingredients = { controller, declared: this.#declared }
    const known = this.#madeOf
    const same = known !== undefined && known.controller === controller && known.declared === madeOf.declared
    if (same && this.#stored.length === 0 && this.#unreadableFor === undefined) return
    const numbers = numbersOf(controller?.plan, this.#numbers)
    const made = this.#combined(controller, numbers)
    if (made === undefined || (controller === undefined && this.#isTooEarly(made))) return
    const { plan, revision, refused, fromFiles, conflicts } = made
    const planned: Planned = {
      plan,
      refused,
      revision,
      ...(controller === undefined
        ? { from: 'configuration' }
        : { from: 'controller', fromFiles, controllerRevision: controller.revision }),
    }
    this.#keep(this.#keptNow(planned, controller, numbers))
    this.#controller = controller
    this.#unreadableFor = undefined
    this.#numbers = numbers
    this.#conflicts = conflicts
    this.#current = planned
    this.#madeOf = madeOf
  }

  #combined(
    controller: ControllerPlan | undefined,
    numbers: StoredNumbers | undefined,
  ): (Combined & { readonly revision: string }) | undefined {
    const wanted = this.#declared
    if (controller !== undefined && !(wanted && wantsSomething(wanted.snapshot))) {
      const { plan, revision, refused } = controller
      return { plan, revision, refused, conflicts: [], fromFiles: [] }
    }
    if (wanted === undefined) return undefined
    const combined = this.#reader?.combine(controller, wanted, controller && numbers) ?? nothingFor(wanted.node.name)
    return { ...combined, ...this.#interned.intern(combined.plan) }
  }

  /**
   * As long as the controller has not spoken: files that want nothing are no reason to take a router down, and whatever
   * they want no reason to take down what came from the controller.
   */
  #isTooEarly({ plan }: Combined): boolean {
    if (this.#unreadableFor !== undefined) return true
    return this.#options.controller === true && plan.router === undefined && this.#current?.from !== 'configuration'
  }

  #keptNow(planned: Planned, controller = this.#controller, numbers = this.#numbers): Kept {
    return {
      planned,
      files: this.#files.stored,
      ...(this.#declared === undefined ? {} : { node: this.#declared.node }),
      ...(controller === undefined ? {} : { controller }),
      ...(numbers === undefined ? {} : { numbers }),
    }
  }

  /** Before it is applied, so that a reboot in the middle finds it. */
  #keep(next: Kept): void {
    const [store, before] = [this.#store, this.#kept]
    const sound = this.#stored.length === 0
    if (sound && before !== undefined && isKept(next, before)) return
    const ends = sound && before !== undefined ? controllersAlone(before, next) : undefined
    if (ends === undefined || !store.append(changeBetween(...ends))) store.save(lastGoodOf(next))
    this.#kept = next
    this.#revisionKept = next.planned.revision
    if (!sound) this.#stored = []
  }
}

const nothingFor = (node: string): Combined => ({
  plan: { node, vrfs: [], segments: [] },
  refused: [],
  conflicts: [],
  fromFiles: [],
})

const UNREADABLE =
  "the controller's last plan cannot be read by this version; it stays until the controller sends the next"

const wantsSomething = (snapshot: Snapshot | undefined): boolean =>
  snapshot !== undefined && snapshot.resources.some(({ kind }) => kind !== 'RouterNode')

/** `before` as long as it says the same. */
function declared(before: Declared | undefined, snapshot: Snapshot, node: NodeFacts): Declared {
  const same = before?.snapshot === snapshot && JSON.stringify(before.node) === JSON.stringify(node)
  return same ? before : { snapshot, node }
}

/** The addresses that the controller's plan gives, else those that it gave last. */
function numbersOf(plan: NodePlan | undefined, before: StoredNumbers | undefined): StoredNumbers | undefined {
  const router = plan?.router
  if (router === undefined) return before
  const [vtep] = router.vteps
  const index = vtep === before?.vteps[0] ? before?.index : indexIn(router.vtepPools, vtep)
  return { vteps: router.vteps, routerID: router.routerID, ...(index === undefined ? {} : { index }) }
}

/** Address 1 + N of a pool is node N's. */
function indexIn(pools: readonly string[], vtep: string | undefined): number | undefined {
  const address = parseAddress(vtep ?? '')
  const pool = pools.flatMap((each) => parsePrefix(each) ?? []).find((each) => address && contains(each, address))
  if (pool === undefined || address === undefined) return undefined
  const index = address.value - networkOf(pool).value - 1n
  return index >= 0n && index < 1n << 31n ? Number(index) : undefined
}
