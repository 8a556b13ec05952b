/**
 * The world from the Kubernetes API. Resources, Nodes and RouterNodes are listed and watched; Secrets one by one, those
 * that some resource names. Of each object only what is needed is kept.
 *
 * No world is shown while a Secret that it names has not been read: a session must not lose its password because a
 * controller has started, or because a name has just been given.
 */
import type { AnyResource } from '../../api/kinds/kinds.ts'
import { apiVersion, group, type Kind } from '../../api/kinds/kind.ts'
import { kindNamed } from '../../api/kinds/kinds.ts'
import type { Labels } from '../../api/kinds/selector.ts'
import { snapshotOf, type Secret, type Snapshot } from '../../api/snapshot/snapshot.ts'
import type { Log } from '../../log/log.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { Api } from '../kube/api.ts'
import type { EventRecorder } from '../kube/events.ts'
import { NamedObjects } from '../kube/named-objects.ts'
import type { KubeObject, ResourceType } from '../kube/object.ts'
import { Reflector, type ReflectorOptions } from '../kube/reflector.ts'
import type { RouterNodeDetail, RouterNodeState } from '../status/router-node-status.ts'
import type { FabricStore, Happening, RouterNodeSpec } from './fabric-store.ts'
import {
  keptDeclared,
  keptNode,
  keptRouterNode,
  keptSecret,
  type KeptDeclared,
  type KeptNode,
  type KeptRouterNode,
  type KeptSecret,
} from './kube-objects.ts'
import { KubeLedger } from './kube-ledger.ts'
import { secretNames } from './secret-names.ts'
import {
  DECLARED_KINDS,
  type Declared,
  type DeclaredKind,
  type NodeSeen,
  type ResourceStatus,
  type RouterNodeSeen,
  type World,
} from './world.ts'

export interface KubeStoreOptions {
  readonly api: Api
  readonly events: Pick<EventRecorder, 'record'>
  readonly namespace: string
  readonly log: Log
  /**
   * Whether this replica leads, by the clock and as of now. A process that was frozen reads what came meanwhile before its
   * timers run: what it would write of that is written by another leader's rival.
   */
  readonly leads: () => boolean
  readonly observe?: ReflectorOptions<KubeObject>['observe']
}

const MANAGER = { fieldManager: 'nodeleaf' } as const
/** What agents tell is written apart, so that a condition can be written without asking an agent first. */
const DETAIL_MANAGER = { fieldManager: 'nodeleaf-detail' } as const

const nodes: ResourceType = { group: '', version: 'v1', plural: 'nodes', kind: 'Node' }
const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }
const routerNodes = typeOf('RouterNode')

/** Each may list thousands of VNIs: some hundred KiB. */
const ROUTER_NODES_A_PAGE = 50

/** Changes of many kinds that come together make one world, which takes a tenth of the time at most. */
const GATHER_MS = 10
const SHARE = 10
const COMPLAIN_MS = 10_000

export class KubeStore implements FabricStore {
  readonly #options: KubeStoreOptions
  readonly #declared: ReadonlyMap<DeclaredKind, Reflector<KeptDeclared>>
  readonly #nodes: Reflector<KeptNode>
  readonly #routerNodes: Reflector<KeptRouterNode>
  readonly #secrets: NamedObjects<KeptSecret>
  readonly #ledger: KubeLedger
  /** What changed since the world was put together last. */
  readonly #dirty = { declared: true, nodes: true, routerNodes: true, secrets: true }
  #changed: () => void = () => {}
  #gathering: NodeJS.Timeout | undefined
  #gatherMs = GATHER_MS
  #secretsAgain: NodeJS.Timeout | undefined
  #waitingSince: number | undefined
  #objects: readonly (AnyResource | Secret)[] = []
  #world: World | undefined

  constructor(options: KubeStoreOptions) {
    const { api, log, namespace } = options
    this.#options = options
    const around = { api, log, observe: options.observe }
    this.#declared = new Map(
      DECLARED_KINDS.map((name) => {
        const kind = declaredKind(name)
        const reflector: Reflector<KeptDeclared> = new Reflector<KeptDeclared>({
          ...around,
          of: { type: typeOf(name) },
          transform: (object) => keptDeclared(kind, object, reflector.objects.get(object.metadata.name)),
          onChange: () => this.#gather('declared'),
        })
        return [name, reflector]
      }),
    )
    const nodeReflector: Reflector<KeptNode> = new Reflector<KeptNode>({
      ...around,
      of: { type: nodes },
      transform: (object) => keptNode(object, nodeReflector.objects.get(object.metadata.name)),
      onChange: () => this.#gather('nodes'),
    })
    this.#nodes = nodeReflector
    const routerNodeReflector: Reflector<KeptRouterNode> = new Reflector<KeptRouterNode>({
      ...around,
      of: { type: routerNodes },
      pageSize: ROUTER_NODES_A_PAGE,
      transform: (object) => keptRouterNode(object, routerNodeReflector.objects.get(object.metadata.name)),
      onChange: () => this.#gather('routerNodes'),
    })
    this.#routerNodes = routerNodeReflector
    this.#secrets = new NamedObjects<KeptSecret>({
      ...around,
      of: { type: secrets, namespace },
      transform: keptSecret,
      onChange: () => this.#gather('secrets'),
    })
    this.#ledger = new KubeLedger(api, namespace)
  }

  get world(): World | undefined {
    return this.#world
  }

  async run(changed: () => void, signal: AbortSignal): Promise<void> {
    this.#changed = changed
    const reflectors = [...this.#declared.values(), this.#nodes, this.#routerNodes]
    await Promise.all(reflectors.map((each) => each.run(signal)))
    clearTimeout(this.#gathering)
    clearTimeout(this.#secretsAgain)
    await this.#secrets.close()
  }

  /** The API says which nodes there are. */
  agentConnected(_node: string, _labels: Labels): void {}
  agentDisconnected(_node: string): void {}

  loadLedger(signal: AbortSignal): Promise<string | undefined> {
    return this.#ledger.load(signal)
  }

  async saveLedger(text: string, signal: AbortSignal): Promise<void> {
    this.#mayWrite(signal)
    await this.#ledger.save(text, signal)
  }

  async applyStatus({ ref, uid }: Declared, status: ResourceStatus, signal: AbortSignal): Promise<void> {
    this.#mayWrite(signal)
    const at = { type: typeOf(ref.kind), name: ref.name, subresource: 'status' }
    // With the uid, so that another object of the same name does not get it.
    await unlessGone(this.#options.api.apply(at, { metadata: { uid }, status }, { ...MANAGER, signal }))
  }

  async applyRouterNode({ name, uid }: NodeSeen, spec: RouterNodeSpec, signal: AbortSignal): Promise<void> {
    this.#mayWrite(signal)
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name, uid }]
    const at = { type: routerNodes, name }
    await this.#options.api.apply(at, { metadata: { ownerReferences }, spec }, { ...MANAGER, signal })
  }

  async deleteRouterNode(name: string, signal: AbortSignal): Promise<void> {
    this.#mayWrite(signal)
    const uid = this.#routerNodes.objects.get(name)?.routerNode.uid
    const preconditions = uid === undefined ? {} : { preconditions: { uid } }
    await unlessGone(this.#options.api.delete({ type: routerNodes, name }, { signal, ...preconditions }))
  }

  async applyRouterNodeState(name: string, state: RouterNodeState, signal: AbortSignal): Promise<void> {
    this.#mayWrite(signal)
    const at = { type: routerNodes, name, subresource: 'status' }
    await unlessGone(this.#options.api.apply(at, { status: state }, { ...MANAGER, signal }))
  }

  async applyRouterNodeDetail(name: string, detail: RouterNodeDetail, signal: AbortSignal): Promise<void> {
    this.#mayWrite(signal)
    const at = { type: routerNodes, name, subresource: 'status' }
    await unlessGone(this.#options.api.apply(at, { status: detail }, { ...DETAIL_MANAGER, signal }))
  }

  record({ regarding, type, reason, action, note }: Happening): void {
    if (!this.#options.leads()) return
    const object =
      regarding.type === 'node'
        ? { apiVersion: 'v1', kind: 'Node', name: regarding.name, uid: regarding.uid }
        : { apiVersion, kind: regarding.ref.kind, name: regarding.ref.name, uid: regarding.uid }
    this.#options.events.record({ regarding: object, type, reason, action, note })
  }

  /** Looking at the clock ends a term that is over, and aborts its signal. @throws its reason */
  #mayWrite(signal: AbortSignal): void {
    const leads = this.#options.leads()
    signal.throwIfAborted()
    if (!leads) throw new Error('this replica does not lead')
  }

  #gather(what: 'declared' | 'nodes' | 'routerNodes' | 'secrets'): void {
    this.#dirty[what] = true
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined
      const start = performance.now()
      this.#put()
      this.#gatherMs = Math.max(GATHER_MS, SHARE * (performance.now() - start))
    }, this.#gatherMs)
  }

  #put(): void {
    const reflectors = [...this.#declared.values(), this.#nodes, this.#routerNodes]
    if (!reflectors.every(({ synced }) => synced)) return
    const declared = this.#dirty.declared || this.#world === undefined ? this.#declaredNow() : this.#world.declared
    const resources = declared.flatMap(({ checked }) => ('resource' in checked ? checked.resource : []))
    if (this.#dirty.declared) this.#secrets.watch(secretNames(resources))
    if (!this.#secretsKnown()) return
    const snapshot = this.#snapshot(resources)
    this.#world = {
      snapshot,
      nodes: this.#nodesNow(),
      declared,
      routerNodes: this.#dirty.routerNodes ? this.#routerNodesNow() : (this.#world?.routerNodes ?? []),
    }
    Object.assign(this.#dirty, { declared: false, nodes: false, routerNodes: false, secrets: false })
    this.#changed()
  }

  /** A Secret that may not be read counts as missing: nothing else may hang on it for ever. */
  #secretsKnown(): boolean {
    clearTimeout(this.#secretsAgain)
    if (this.#secrets.synced) {
      this.#waitingSince = undefined
      return true
    }
    const now = performance.now()
    this.#waitingSince ??= now
    if (now - this.#waitingSince > COMPLAIN_MS) {
      this.#waitingSince = now
      this.#options.log.warn('Secrets that resources name cannot be read yet; what was planned stays until then')
    }
    this.#secretsAgain = setTimeout(() => this.#gather('secrets'), 1000)
    return false
  }

  #declaredNow(): readonly Declared[] {
    return [...this.#declared.values()].flatMap(({ objects }) => [...objects.values()].map(({ declared }) => declared))
  }

  /** The one before when the objects are the same: a new list of statuses is no new snapshot. */
  #snapshot(resources: readonly AnyResource[]): Snapshot {
    const before = this.#world
    const found = [...secretNames(resources)].flatMap((name) => {
      const known = this.#secrets.get(name)
      return known.type === 'there' && known.object.secret !== undefined ? [known.object.secret] : []
    })
    const objects = [...resources, ...found]
    const same = before !== undefined && sameList(this.#objects, objects)
    this.#objects = objects
    return same ? before.snapshot : snapshotOf(objects)
  }

  #nodesNow(): readonly NodeSeen[] {
    const before = this.#world?.nodes
    if (!this.#dirty.nodes && before !== undefined) return before
    const now = [...this.#nodes.objects.values()].map(({ node }) => node)
    return before !== undefined && sameList(before, now) ? before : now
  }

  #routerNodesNow(): readonly RouterNodeSeen[] {
    return [...this.#routerNodes.objects.values()].map(({ routerNode }) => routerNode)
  }
}

/** A status of something that is gone has nobody to tell. */
async function unlessGone(write: Promise<unknown>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((each, at) => each === b[at])
}

function declaredKind(name: DeclaredKind): Kind & { name: DeclaredKind } {
  const kind = kindNamed(name)
  if (kind === undefined) throw new Error(`there is no kind ${name}`)
  return { ...kind, name }
}

function typeOf(kind: DeclaredKind | 'RouterNode'): ResourceType {
  const plural = kindNamed(kind)?.plural ?? ''
  return { group, version: apiVersion.slice(group.length + 1), plural, kind }
}
