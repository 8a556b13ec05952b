/**
 * What the agent says of itself at `GET /status`: the whole node in one document. Holds no secret.
 *
 * Fields may be added within `schema`; none is removed or changes its meaning. Times are RFC 3339 in UTC.
 */
import type { HostSessionPlan, NodePlan } from '../../api/plan/node-plan.ts'
import type { Violation } from '../../api/rules/violation.ts'
import type { DatapathStatus } from '../datapath-keeper.ts'
import type { ProgressReport } from '../progress.ts'
import type { PassReport } from '../reconciler.ts'
import type { ResourceReport } from '../resource-states.ts'
import type { ResourceState } from '../resource-state.ts'
import type { Connection } from '../source/connection.ts'
import type { SourceReading } from '../source/plan-source.ts'
import type { SourceProblem } from '../source/static-files.ts'

export const SCHEMA = 'nodeleaf.io/agent-status/v1alpha1'

export interface ResourceStatus {
  readonly kind: string
  readonly name: string
  readonly state: ResourceState['state']
  readonly since: string
  /** Of Failed. */
  readonly reason?: string
  /** What is waited for, failed or is missing. */
  readonly message?: string
  /** Of Failed: when it is tried again. */
  readonly nextTry?: string
}

export interface SessionStatus {
  /** Address or interface of the neighbour. */
  readonly peer: string
  /** Absent: the default VRF. */
  readonly vrf?: string
  /** BGP's state: Established, Active and so on. */
  readonly state: string
  readonly remoteAS?: number
  readonly since?: string
  readonly prefixesReceived?: number
  readonly prefixesSent?: number
  /** State of BFD, where it is on. */
  readonly bfd?: string
}

export interface VniStatus {
  readonly vni: number
  readonly type: 'L2' | 'L3'
  readonly state: string
  readonly vrf?: string
  /** Remote VTEPs. */
  readonly vteps?: number
  readonly macs?: number
}

export interface HostSessionAddresses {
  readonly resource: string
  /** Absent: the default VRF. */
  readonly vrf?: string
  readonly router: readonly string[]
  readonly host: readonly string[]
}

export interface ControllerStatus {
  /** As configured: ADDRESS:PORT. */
  readonly address: string
  readonly state: Connection['state']
  /** When it came into that state. */
  readonly since: string
  /** The replica that is, or was last, at the other end, in its own words. */
  readonly replica?: string
  /** When something came from it last. */
  readonly lastContact?: string
  /** Why the last connection, or the last attempt, ended. */
  readonly lastError?: string
  /** When the certificate that proves the node ends. */
  readonly certificateEnds?: string
  /** Of `refused`: why the controller does not talk to this agent, in one word. */
  readonly reason?: string
}

export interface StatusDocument {
  readonly schema: typeof SCHEMA
  readonly time: string
  readonly versions: {
    readonly agent: string
    readonly frr?: string
    readonly kernel: string
    readonly runtime: string
  }
  readonly node: {
    readonly name: string
    readonly index?: number
    /** Where the index is from, in the user's words. */
    readonly indexFrom?: string
    readonly labels: Readonly<Record<string, string>>
  }
  readonly router: { readonly netns: string; readonly asn?: number }
  readonly frr: {
    readonly mode: 'managed' | 'external'
    readonly name: string
    readonly state: 'connected' | 'away'
    readonly message?: string
  }
  /** Absent before the first pass. */
  readonly datapath?: DatapathStatus
  readonly revision: {
    /** What the node should have. */
    readonly desired?: string
    /** What was last seen wholly in place. */
    readonly applied?: string
    /** What the node would boot into. */
    readonly lastGood?: string
    /** Where the desired one is from. */
    readonly from?: 'controller' | 'configuration' | 'last-good'
    /** The controller's part of the desired one. */
    readonly controller?: string
  }
  /** Absent without a controller. */
  readonly controller?: ControllerStatus
  /** Of the pass that runs at this moment; absent when none does. */
  readonly progress?: Omit<ProgressReport, 'since'> & { readonly since: string }
  /** What is wrong with the node as a whole. */
  readonly problem?: { readonly reason: string; readonly message: string; readonly nextTry: string }
  readonly resources: readonly ResourceStatus[]
  /** What is left out of the plan, and what to do. */
  readonly refused: readonly Violation[]
  /** What is wrong with the configuration's files. */
  readonly problems: readonly SourceProblem[]
  readonly addresses: {
    readonly vteps: readonly string[]
    readonly routerID?: string
    readonly hostSessions: readonly HostSessionAddresses[]
  }
  readonly sessions: readonly SessionStatus[]
  readonly vnis: readonly VniStatus[]
  readonly counters: {
    /** All since the start. */
    readonly netlinkWrites: number
    readonly frrCommands: number
    readonly reconciles: number
    /** Milliseconds of all passes, by what was being done, as `progress.doing` says it. */
    readonly phases: Readonly<Record<string, number>>
    readonly start: string
    readonly lastReconcile?: Omit<PassReport, 'at'> & { readonly at: string }
  }
}

/** What the document is made of; read from all over the agent at one moment. */
export interface StatusFacts extends Pick<StatusDocument, 'versions' | 'frr' | 'datapath' | 'sessions' | 'vnis'> {
  readonly now: number
  readonly start: number
  readonly netns: string
  readonly source: SourceReading
  readonly controller?: Connection
  readonly applied?: string
  readonly nodeState?: ResourceState
  readonly resources: readonly ResourceReport[]
  readonly lastPass?: PassReport
  readonly progress?: ProgressReport
  readonly counters: Pick<StatusDocument['counters'], 'netlinkWrites' | 'frrCommands' | 'reconciles' | 'phases'>
}

export function statusDocument(facts: StatusFacts): StatusDocument {
  const { source, nodeState, lastPass, progress } = facts
  const { planned, node } = source
  const plan = planned?.plan
  return {
    schema: SCHEMA,
    time: timeText(facts.now),
    versions: facts.versions,
    node: {
      name: node.name,
      labels: node.labels,
      ...('index' in node.number ? { index: node.number.index, indexFrom: node.number.from } : {}),
    },
    router: { netns: facts.netns, ...(plan?.router ? { asn: plan.router.asn } : {}) },
    frr: facts.frr,
    ...(facts.datapath === undefined ? {} : { datapath: facts.datapath }),
    revision: {
      ...(planned === undefined ? {} : { desired: planned.revision, from: planned.from }),
      ...(planned?.controllerRevision === undefined ? {} : { controller: planned.controllerRevision }),
      ...(facts.applied === undefined ? {} : { applied: facts.applied }),
      ...(source.lastGood === undefined ? {} : { lastGood: source.lastGood }),
    },
    ...(facts.controller === undefined ? {} : { controller: controllerStatus(facts.controller) }),
    ...(progress === undefined ? {} : { progress: { ...progress, since: timeText(progress.since) } }),
    ...(nodeState?.state === 'Failed'
      ? { problem: { reason: nodeState.reason, message: nodeState.message, nextTry: timeText(nodeState.nextTry) } }
      : {}),
    resources: facts.resources.map(resourceStatus),
    refused: planned?.refused ?? [],
    problems: source.problems,
    addresses: addressesOf(plan),
    sessions: facts.sessions,
    vnis: facts.vnis,
    counters: {
      ...facts.counters,
      start: timeText(facts.start),
      ...(lastPass === undefined ? {} : { lastReconcile: { ...lastPass, at: timeText(lastPass.at) } }),
    },
  }
}

function controllerStatus({ address, state, since, ...rest }: Connection): ControllerStatus {
  const { replica, lastContact, lastError, certificateEnds } = rest
  return {
    address,
    state,
    since: timeText(since),
    ...(replica === undefined ? {} : { replica }),
    ...(lastContact === undefined ? {} : { lastContact: timeText(lastContact) }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(certificateEnds === undefined ? {} : { certificateEnds: timeText(certificateEnds) }),
    ...(rest.reason === undefined ? {} : { reason: rest.reason }),
  }
}

function resourceStatus({ ref, state }: ResourceReport): ResourceStatus {
  return {
    kind: ref.kind,
    name: ref.name,
    state: state.state,
    since: timeText(state.since),
    ...(state.state === 'Failed' ? { reason: state.reason, nextTry: timeText(state.nextTry) } : {}),
    ...('message' in state ? { message: state.message } : {}),
  }
}

function addressesOf(plan: NodePlan | undefined): StatusDocument['addresses'] {
  const inVrf = (vrf: string | undefined, session: HostSessionPlan | undefined): HostSessionAddresses[] => {
    if (session === undefined) return []
    const resource = `${session.for.kind}/${session.for.name}`
    return [
      { resource, ...(vrf === undefined ? {} : { vrf }), router: session.routerAddresses, host: session.hostAddresses },
    ]
  }
  return {
    vteps: plan?.router?.vteps ?? [],
    ...(plan?.router ? { routerID: plan.router.routerID } : {}),
    hostSessions: [
      ...(plan?.vrfs ?? []).flatMap((vrf) => inVrf(vrf.name, vrf.hostSession)),
      ...inVrf(undefined, plan?.passthrough),
    ],
  }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString()
}
