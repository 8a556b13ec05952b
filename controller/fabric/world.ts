/** The world as one replica sees it at one moment: what users declared, which nodes there are, what was written before. */
import type { AnyResource } from '../../api/kinds/kinds.ts'
import type { RouterNode } from '../../api/kinds/router-node.ts'
import type { Labels } from '../../api/kinds/selector.ts'
import type { Snapshot } from '../../api/snapshot/snapshot.ts'

/** The kinds that users declare; RouterNodes are the controller's own. */
export const DECLARED_KINDS = ['Underlay', 'L3VNI', 'L2VNI', 'L3Passthrough'] as const
export type DeclaredKind = (typeof DECLARED_KINDS)[number]

export interface DeclaredRef {
  readonly kind: DeclaredKind
  readonly name: string
}

/** `L3VNI/red` */
export const keyOf = ({ kind, name }: { readonly kind: string; readonly name: string }): string => `${kind}/${name}`

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly observedGeneration?: number
  /** RFC 3339. */
  readonly lastTransitionTime: string
  readonly reason: string
  readonly message: string
}

export interface ResourceStatus {
  readonly conditions: readonly Condition[]
  readonly nodes?: {
    readonly selected: number
    readonly ready: number
    readonly failed: number
    /** `2/3` */
    readonly summary: string
  }
}

/** An object that a user declared, with what was said of it last. */
export interface Declared {
  readonly ref: DeclaredRef
  readonly uid: string
  /** Grows with each change of the spec. */
  readonly generation: number
  readonly status?: ResourceStatus
  /** The object with its defaults, or what is wrong with one that should not have been let in. */
  readonly checked: { readonly resource: Exclude<AnyResource, { kind: 'RouterNode' }> } | { readonly problem: string }
}

export interface NodeSeen {
  readonly name: string
  readonly labels: Labels
  readonly uid: string
}

/** What the controller wrote into a RouterNode before. */
export interface RouterNodeSeen {
  readonly name: string
  /** A person gave the index, in a document. */
  readonly fixed?: true
  /** Absent: it is not written yet, only a person's document is there. */
  readonly uid?: string
  /** Its numbers; without what is written for people. The same object as before while they are the same. */
  readonly resource: RouterNode
  /** Of the spec that is written. */
  readonly specDigest: string
  /** Of the Node that owns it. */
  readonly ownerUid?: string
  readonly conditions: readonly Condition[]
  /** Of the status, so that one that says nothing new is not written again; see digest.ts. */
  readonly stateDigest: string
  readonly detailDigest: string
}

export interface World {
  /** What plans are made of. The same object as before when nothing of it changed; statuses are no part of it. */
  readonly snapshot: Snapshot
  /** The same list as before when nothing of it changed. */
  readonly nodes: readonly NodeSeen[]
  readonly declared: readonly Declared[]
  readonly routerNodes: readonly RouterNodeSeen[]
}
