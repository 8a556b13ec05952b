/** What the reconciler needs of the kernel and of FRR: small interfaces, kept at their consumer. */
import type { NodePlan, ResourceRef } from '../api/plan/node-plan.ts'
import type { Failure } from './resource-state.ts'

/** One thing to do: a kernel operation or an FRR command. */
export interface Step {
  /** The resource it serves; absent when it serves the node as a whole. */
  readonly for?: ResourceRef
  /** In words, for the log; holds no secret. */
  readonly text: string
}

/** What keeps a resource from being Ready though nothing is left to do here. */
export interface Remark {
  readonly for: ResourceRef
  readonly message: string
}

export interface KernelDifferences<Op extends Step> {
  readonly create: readonly Op[]
  readonly raise: readonly Op[]
  /** What waits until FRR has caught up with what was raised: it would have to look at it again and again. */
  readonly plug?: readonly Op[]
  readonly remove: readonly Op[]
  /** What FRR's L3VNIs stand on is taken away and made anew: it lets go of them first. */
  readonly switching?: boolean
  /** What stands in the way, seen without trying: a name that is taken, a NIC that is not there. */
  readonly failures: readonly Failure[]
  /** What this machine cannot do, though the rest of the resource works. */
  readonly unsupported: readonly Remark[]
}

/** Told how many steps more are finished, in whatever way. */
export type Done = (count: number) => void
/** So is this, and the next steps wait for it. */
export type Paced = (count: number) => void | Promise<void>

/** A port of the router that entered a bridge. */
export interface EnteredPort {
  readonly name: string
  readonly index: number
  readonly bridge: string
  readonly for: ResourceRef
}

export interface KernelPort<Op extends Step> {
  /**
   * Compares what the kernel has with the plan; writes nothing. With `fresh` everything is read anew; without it
   * what is known from before, and from events, may be trusted.
   */
  differences(plan: NodePlan, fresh?: boolean): Promise<KernelDifferences<Op>>
  /** Does the operations in order; one that fails does not keep those from being done that do not need it. */
  apply(operations: readonly Op[], signal: AbortSignal, done?: Paced): Promise<readonly Failure[]>
  /** Ports of segments that entered a bridge since `tellAgain`, in that order. */
  readonly entered?: readonly EnteredPort[]
  /** Tells again of what was learnt behind `entered`: FRR misses what it hears of a port that it does not know there yet. */
  tellAgain?(): void
  /** Netlink, sysctl and namespace writes since the start. */
  readonly writes: number
}

export interface FrrDifferences<C extends Step> {
  readonly commands: readonly C[]
  /** What this FRR cannot do. */
  readonly unsupported: readonly Remark[]
}

export interface FrrPort<C extends Step> {
  /**
   * Compares FRR's configuration with the plan. With `fresh` it is read anew; without it what is known from before may be
   * trusted. @throws FrrAwayError
   */
  differences(plan: NodePlan, fresh?: boolean): Promise<FrrDifferences<C>>
  /**
   * Enters the commands; undoes what belongs to a refused one. Returns when zebra has taken up the VNIs that were
   * entered, so that their links may be raised, or after a bounded time. @throws FrrAwayError
   */
  apply(commands: readonly C[], signal: AbortSignal, done?: Done): Promise<readonly Failure[]>
  /**
   * What FRR does not know yet though it is configured: VNIs without a device or a VRF. `touched` are the resources
   * (`L3VNI/red`) that had a step since the last time: FRR need not be asked about others that it knew then. Without it,
   * about all. @throws FrrAwayError
   */
  missing(plan: NodePlan, touched?: ReadonlySet<string>): Promise<readonly Remark[]>
  /**
   * Takes all L3VNIs from their VRFs, and leaves the rest; returns when zebra has let go of them, or after a bounded time.
   * Afterwards `differences` has them among its commands. @throws FrrAwayError
   */
  letGo?(plan: NodePlan, signal: AbortSignal): Promise<readonly Failure[]>
  /** Waits until FRR has taken up what was raised for `touched` (`L3VNI/red`), or a bounded time. @throws FrrAwayError */
  caughtUp?(plan: NodePlan, touched: ReadonlySet<string>, signal: AbortSignal): Promise<void>
  /** Waits until FRR knows in which bridge this port is, or a bounded time; whether it does. @throws FrrAwayError */
  knowsPort?(port: EnteredPort, signal: AbortSignal): Promise<boolean>
  /** Resolves when FRR has taken up the events that it had when it was asked, or close to it. @throws FrrAwayError */
  answers?(): Promise<void>
  /** Configuration lines sent since the start. */
  readonly commands: number
}

/** FRR cannot be asked at the moment: a state to report, not a failure of a resource. */
export class FrrAwayError extends Error {
  readonly code = 'FRR_AWAY'
}
