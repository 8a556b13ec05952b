/**
 * The kernel side of the agent, as the reconciler sees it (it is the reconciler's KernelPort).
 *
 * Call `await fs.promises.stat('/')` once before: it starts libuv's threads, which must not be born in the router's
 * namespace. Nothing here is kept between passes but counters: every call looks at the kernel and the records on disk.
 */
import type { NodePlan } from '../../api/plan/node-plan.ts'
import type { MachineFacts } from './objects.ts'
import type { Observed } from './observed.ts'
import type { KernelFailure, Operation } from './operation.ts'
import type { Unsupported } from './unsupported.ts'

export interface KernelOptions {
  /** Name of the router's namespace: `nodeleaf` is /run/netns/nodeleaf. Made when it is not there. */
  readonly netns: string
  /** Where the NICs' records are: `<stateDir>/nics/<name>.json`. */
  readonly stateDir: string
}

export interface Differences {
  readonly create: readonly Operation[]
  readonly raise: readonly Operation[]
  readonly remove: readonly Operation[]
  /** Always empty: what stands in the way is an operation that is refused, so that what can be done is done. */
  readonly failures: readonly KernelFailure[]
  readonly unsupported: readonly Unsupported[]
}

export interface KernelSide extends Disposable {
  /** Netlink, sysctl and namespace writes since the start. */
  readonly writes: number
  /** Reads what the kernel has and compares it with the plan; writes nothing. */
  differences(plan: NodePlan): Promise<Differences>
  /** Does the operations in order; one that fails does not keep others from being done unless they need it. */
  apply(operations: readonly Operation[], signal?: AbortSignal): Promise<readonly KernelFailure[]>
  /** What is still different, per resource; for after a pass. */
  verify(plan: NodePlan): Promise<readonly KernelFailure[]>
  observe(plan?: NodePlan): Observed
  /** What the NICs of the plan are or were like on the host. */
  facts(plan: NodePlan): MachineFacts
  /** Something that is observed changed in one of the namespaces; bursts are one call. Returns what ends it. */
  onChange(callback: () => void): () => void
  /** Gives everything back, see uninstall.ts. Returns what could not be. */
  uninstall(): Promise<readonly KernelFailure[]>
  close(): void
}
