/** How the node fares, in short: the reconciler's state as the controller wants to hear it. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ReportSchema, ResourceStateSchema, VersionsSchema } from '../../api/wire/generated/distribution_pb.ts'
import type { ControllerProgress } from '../reconciler.ts'
import type { ResourceReport } from '../resource-states.ts'
import { keyOfRef, type ResourceState } from '../resource-state.ts'

export type Versions = MessageInitShape<typeof VersionsSchema>

export interface ReportFacts {
  /** Revision of the controller's plan on disk; absent: none. */
  readonly lastGood?: string
  readonly progress: ControllerProgress
  readonly resources: readonly ResourceReport[]
  /** Of them, those of the files: the controller knows nothing of them. */
  readonly fromFiles: readonly string[]
  readonly nodeState?: ResourceState
  readonly frrAway?: string
  readonly conflicts: readonly string[]
  readonly versions: Versions
  readonly detailVersion: bigint
}

export function reportOf(facts: ReportFacts): MessageInitShape<typeof ReportSchema> {
  const { lastGood = '', progress, nodeState, frrAway, conflicts, versions, detailVersion } = facts
  const settled = lastGood !== '' && progress.tried === lastGood
  const own = new Set(facts.fromFiles)
  const unready = facts.resources.filter(({ ref, state }) => {
    // What nobody has looked at yet is most of a new plan, and `settled` says it for all.
    if (state.state === 'Ready' || (state.state === 'Pending' && !settled)) return false
    return !own.has(keyOfRef(ref))
  })
  const problem =
    nodeState?.state === 'Failed'
      ? { problemReason: nodeState.reason, problemMessage: nodeState.message }
      : frrAway === undefined
        ? {}
        : { problemReason: 'FRRAway', problemMessage: `FRR is away: ${frrAway}` }
  return {
    applied: progress.applied ?? '',
    lastGood,
    unready: unready.map(resourceState),
    settled,
    ...problem,
    detailVersion,
    versions,
    conflicts: [...conflicts],
  }
}

function resourceState({ ref, state }: ResourceReport): MessageInitShape<typeof ResourceStateSchema> {
  return {
    kind: ref.kind,
    name: ref.name,
    state: state.state,
    ...(state.state === 'Failed' ? { reason: state.reason } : {}),
    ...('message' in state ? { message: state.message } : {}),
    sinceMs: BigInt(state.since),
  }
}
