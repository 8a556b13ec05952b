/** Where the world comes from and what is written back into it: the Kubernetes API, or a directory. */
import type { Labels } from '../../api/kinds/selector.ts'
import type { RouterNodeDetail, RouterNodeState } from '../status/router-node-status.ts'
import type { Declared, DeclaredRef, NodeSeen, ResourceStatus, World } from './world.ts'

/** What a person must know, once. */
export interface Happening {
  readonly regarding:
    | { readonly type: 'resource'; readonly ref: DeclaredRef; readonly uid: string }
    | { readonly type: 'node'; readonly name: string; readonly uid: string }
  readonly type: 'Normal' | 'Warning'
  /** One CamelCase word: Ready, NotAccepted. */
  readonly reason: string
  /** What the controller did or saw: Planning, Reporting, Allocating. */
  readonly action: string
  readonly note: string
}

export interface RouterNodeSpec {
  readonly index: number
  readonly addresses: {
    readonly vteps: readonly string[]
    readonly routerID?: string
    readonly hostSessions: readonly { readonly vrf?: string; readonly addresses: readonly string[] }[]
  }
}

export interface FabricStore {
  /** Undefined until everything was read once. A new one after each change; what did not change is the same object. */
  readonly world: World | undefined

  /** Reads and follows until the signal aborts; calls `changed` after each change, and once everything was read. */
  run(changed: () => void, signal: AbortSignal): Promise<void>

  /** An agent came, or went. Where nobody else says which nodes there are, it does. */
  agentConnected(node: string, labels: Labels): void
  agentDisconnected(node: string): void

  /** The ledger of numbers as it was saved; undefined: there never was one. @throws when that cannot be known now */
  loadLedger(signal: AbortSignal): Promise<string | undefined>

  /** Resolves when it is safe. @throws when somebody else wrote it meanwhile, or it cannot be written */
  saveLedger(text: string, signal: AbortSignal): Promise<void>

  applyStatus(declared: Declared, status: ResourceStatus, signal: AbortSignal): Promise<void>
  applyRouterNode(node: NodeSeen, spec: RouterNodeSpec, signal: AbortSignal): Promise<void>
  deleteRouterNode(name: string, signal: AbortSignal): Promise<void>
  applyRouterNodeState(name: string, state: RouterNodeState, signal: AbortSignal): Promise<void>
  applyRouterNodeDetail(name: string, detail: RouterNodeDetail, signal: AbortSignal): Promise<void>

  /** Never throws: an Event that is lost is in the log. */
  record(happening: Happening): void
}
