/**
 * Files in place of the Kubernetes API, for router VMs and plain machines. `--config-dir` holds what users declare; the
 * nodes are those whose agents came, and those with a RouterNode document. What comes of it goes to the StateDirectory.
 *
 * To forget a node that will not come back, stop its agent and remove its file: its number rests, then is free.
 */
import type { RouterNode } from '../../api/kinds/router-node.ts'
import type { AnyResource } from '../../api/kinds/kinds.ts'
import type { Labels } from '../../api/kinds/selector.ts'
import { snapshotOf, type Secret, type Snapshot } from '../../api/snapshot/snapshot.ts'
import { watchDirectory } from '../../files/watch-directory.ts'
import type { Log } from '../../log/log.ts'
import { Wake } from '../../pace/wake.ts'
import type { RouterNodeDetail, RouterNodeState } from '../status/router-node-status.ts'
import { detailDigest, digestOf, stateDigest } from './digest.ts'
import { ConfigFiles, type ConfigReading } from './config-files.ts'
import type { FabricStore, RouterNodeSpec } from './fabric-store.ts'
import { routerNodeOf } from './router-node-spec.ts'
import { isNodeName, StateDirectory, type NodeFile } from './state-directory.ts'
import {
  keyOf,
  type Condition,
  type Declared,
  type DeclaredRef,
  type NodeSeen,
  type ResourceStatus,
  type RouterNodeSeen,
  type World,
} from './world.ts'

export interface DirectoryStoreOptions {
  readonly configDir: string
  readonly stateDir: string
  readonly log: Log
}

interface Same {
  readonly text: string
  readonly value: unknown
}

const RESCAN_MS = 3000
/** The reason of a change for which files have to be read; others are the store's own. */
const FILES = 'files'
const UNSETTLED_MS = 500

export class DirectoryStore implements FabricStore {
  readonly #options: DirectoryStoreOptions
  readonly #state: StateDirectory
  readonly #config: ConfigFiles
  readonly #changes = new Wake({ quietMs: 100, latestMs: 1000 })
  readonly #nodes: Map<string, NodeFile>
  readonly #connected = new Set<string>()
  readonly #statuses: Map<string, ResourceStatus>
  #reading: ConfigReading | undefined
  /** What the last world was made of, and what the next one is, by name. */
  #same: ReadonlyMap<string, Same> = new Map()
  #next = new Map<string, Same>()
  #objects: readonly (AnyResource | Secret)[] = []
  #told = new Set<string>()
  /** The state directory could not be used when it was last tried. */
  #broken = false
  #world: World | undefined

  /** Makes the state directory. @throws when it cannot be read or written */
  constructor(options: DirectoryStoreOptions) {
    const { configDir, stateDir, log } = options
    this.#options = options
    this.#state = new StateDirectory(stateDir, log)
    this.#config = new ConfigFiles(configDir, this.#state.configPath)
    this.#nodes = this.#state.readNodes()
    this.#statuses = this.#state.readStatuses()
  }

  get world(): World | undefined {
    return this.#world
  }

  async run(changed: () => void, signal: AbortSignal): Promise<void> {
    const { configDir } = this.#options
    const look = (): void => this.#changes.request(FILES)
    watchDirectory(configDir, { rescanMs: RESCAN_MS, signal }, look)
    watchDirectory(this.#state.nodesPath, { rescanMs: RESCAN_MS, signal }, look)
    for (let reasons = [FILES]; reasons.length > 0; reasons = await this.#changes.next(signal)) {
      if (!this.#looked(reasons.includes(FILES)) || this.#reading === undefined) continue
      changed()
    }
  }

  /** False: the state directory cannot be used now, and is tried again. */
  #looked(read: boolean): boolean {
    const { log, stateDir } = this.#options
    try {
      if (read) this.#read()
      if (this.#reading !== undefined) this.#world = this.#worldOf(this.#reading)
      if (this.#broken) log.info('the state directory can be used again', { stateDir })
      this.#broken = false
      return true
    } catch (error) {
      if (!this.#broken) log.error('the state directory cannot be used; what was planned stays', { stateDir, error })
      this.#broken = true
      setTimeout(() => this.#changes.request(FILES), RESCAN_MS).unref()
      return false
    }
  }

  agentConnected(node: string, labels: Labels): void {
    if (!isNodeName(node)) {
      this.#options.log.warn('a node without a name for a file gets nothing', { node })
      return
    }
    this.#connected.add(node)
    const before = this.#nodes.get(node)
    if (before !== undefined && sameLabels(before.metadata.labels ?? {}, labels)) return
    const file = { ...before, metadata: { name: node, labels } }
    this.#nodes.set(node, file)
    try {
      this.#save(file)
    } catch (error) {
      this.#options.log.warn('the file of a node cannot be written, it is tried again', { node, error })
      this.#changes.request(FILES)
    }
    this.#changes.request('agent')
  }

  agentDisconnected(node: string): void {
    this.#connected.delete(node)
  }

  async loadLedger(): Promise<string | undefined> {
    return this.#state.readLedger()
  }

  async saveLedger(text: string): Promise<void> {
    this.#state.writeLedger(text)
  }

  async applyStatus({ ref, generation }: Declared, status: ResourceStatus): Promise<void> {
    this.#state.writeStatus(ref, generation, status)
    this.#statuses.set(keyOf(ref), status)
    this.#changes.request('status')
  }

  async applyRouterNode({ name, labels }: NodeSeen, spec: RouterNodeSpec): Promise<void> {
    this.#save({ ...(this.#nodes.get(name) ?? { metadata: { name, labels } }), spec })
    this.#changes.request('numbers')
  }

  async deleteRouterNode(name: string): Promise<void> {
    this.#state.removeNode(name)
    this.#nodes.delete(name)
    this.#changes.request('node gone')
  }

  async applyRouterNodeState(name: string, state: RouterNodeState): Promise<void> {
    this.#patch(name, state)
    this.#changes.request('status')
  }

  async applyRouterNodeDetail(name: string, detail: RouterNodeDetail): Promise<void> {
    this.#patch(name, detail)
  }

  /** The log has the same line. */
  record(): void {}

  #patch(name: string, part: Partial<RouterNodeState & RouterNodeDetail>): void {
    const file = this.#nodes.get(name)
    // Forgotten meanwhile.
    if (file !== undefined) this.#save({ ...file, status: { ...file.status, ...part } })
  }

  #save(file: NodeFile): void {
    this.#state.writeNode(file)
    this.#nodes.set(file.metadata.name, file)
  }

  #read(): void {
    const reading = this.#config.read(Date.now())
    if ('away' in reading) this.#tell([`${reading.away}; what was planned stays`])
    else {
      this.#tell(reading.problems)
      this.#reading = reading
      if (reading.unsettled) setTimeout(() => this.#changes.request(FILES), UNSETTLED_MS).unref()
    }
    this.#forgetRemoved()
  }

  /** A file that a person removed takes its node with it, unless the agent is there. */
  #forgetRemoved(): void {
    const there = new Set(this.#state.nodeNames())
    for (const [name, file] of this.#nodes) {
      if (there.has(name)) continue
      if (this.#connected.has(name)) this.#save(file)
      else {
        this.#nodes.delete(name)
        this.#options.log.info('node forgotten: its file was removed', { node: name })
      }
    }
  }

  #worldOf({ resources, secrets, generations }: ConfigReading): World {
    const documents = resources.filter((each) => each.kind === 'RouterNode')
    const declared = resources.flatMap((resource): Declared[] => {
      if (resource.kind === 'RouterNode') return []
      const ref: DeclaredRef = { kind: resource.kind, name: resource.metadata.name }
      const status = this.#statuses.get(keyOf(ref))
      const generation = generations.get(keyOf(ref)) ?? 1
      const checked = this.#kept(keyOf(ref), { resource })
      return [{ ref, uid: keyOf(ref), generation, checked, ...(status === undefined ? {} : { status }) }]
    })
    this.#dropStatusOfGone(new Set(declared.map(({ ref }) => keyOf(ref))))
    const objects = declared.flatMap(({ checked }) => ('resource' in checked ? checked.resource : []))
    const known = secrets.map((each) => this.#kept(keyOf({ kind: 'Secret', name: each.metadata.name }), each))
    const world = {
      snapshot: this.#snapshotOf([...objects, ...known]),
      nodes: sameList(this.#world?.nodes, this.#nodesOf(documents)),
      declared,
      routerNodes: this.#routerNodesOf(documents),
    }
    this.#same = this.#next
    this.#next = new Map()
    return world
  }

  /** The one before when the objects are the same. */
  #snapshotOf(objects: readonly (AnyResource | Secret)[]): Snapshot {
    const before = this.#objects
    this.#objects = sameList(before, objects)
    return this.#objects === before && this.#world !== undefined ? this.#world.snapshot : snapshotOf(objects)
  }

  #nodesOf(documents: readonly RouterNode[]): readonly NodeSeen[] {
    const labels = new Map([...this.#nodes].map(([name, { metadata }]) => [name, metadata.labels ?? {}]))
    for (const { metadata } of documents)
      labels.set(metadata.name, { ...labels.get(metadata.name), ...metadata.labels })
    return [...labels].map(([name, each]) => this.#kept(`Node/${name}`, { name, labels: each, uid: name }))
  }

  #routerNodesOf(documents: readonly RouterNode[]): readonly RouterNodeSeen[] {
    const fixed = new Map(documents.map(({ metadata, spec }) => [metadata.name, spec]))
    const names = new Set([...this.#nodes.keys(), ...fixed.keys()])
    return [...names].flatMap((name): RouterNodeSeen[] => {
      const file = this.#nodes.get(name)
      const document = fixed.get(name)
      const spec = document ?? file?.spec
      if (spec === undefined) return []
      const conditions: readonly Condition[] = file?.status?.conditions ?? []
      const { index } = spec
      const { vteps = [], routerID } = document?.addresses ?? file?.spec?.addresses ?? {}
      return [
        {
          name,
          ...(file?.spec === undefined ? {} : { uid: name, ownerUid: name }),
          resource: this.#kept(`RouterNode/${name}`, routerNodeOf(name, index, vteps, routerID)),
          ...(document === undefined ? {} : { fixed: true as const }),
          conditions,
          ...digestsOf(file),
        },
      ]
    })
  }

  /** The same object as before when it says the same. */
  #kept<T>(key: string, value: T): T {
    const text = JSON.stringify(value)
    const before = this.#same.get(key)
    const kept = before?.text === text ? before : { text, value }
    this.#next.set(key, kept)
    return kept.value as T
  }

  #dropStatusOfGone(there: ReadonlySet<string>): void {
    for (const key of this.#statuses.keys()) {
      if (there.has(key)) continue
      this.#statuses.delete(key)
      const [kind = '', name = ''] = key.split('/')
      this.#state.removeStatus({ kind: kind as DeclaredRef['kind'], name })
    }
  }

  /** Each problem once, when it comes and when it goes; all that there are in a file. */
  #tell(problems: readonly string[]): void {
    const { log } = this.#options
    const now = new Set(problems)
    for (const problem of now) if (!this.#told.has(problem)) log.warn('configuration problem', { problem })
    for (const problem of this.#told) if (!now.has(problem)) log.info('configuration problem gone', { problem })
    if (now.size === 0 || now.size !== this.#told.size || problems.some((each) => !this.#told.has(each)))
      this.#state.writeProblems([...now])
    this.#told = now
  }
}

const digests = new WeakMap<object, Pick<RouterNodeSeen, 'specDigest' | 'stateDigest' | 'detailDigest'>>()

/** Of a file as it is; worked out once. */
function digestsOf(file: NodeFile = { metadata: { name: '' } }) {
  const known = digests.get(file)
  if (known !== undefined) return known
  const { spec = {}, status = {} } = file
  const made = { specDigest: digestOf(spec), stateDigest: stateDigest(status), detailDigest: detailDigest(status) }
  digests.set(file, made)
  return made
}

function sameList<T>(before: readonly T[] | undefined, now: readonly T[]): readonly T[] {
  return before !== undefined && before.length === now.length && now.every((each, at) => each === before[at])
    ? before
    : now
}

function sameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}
