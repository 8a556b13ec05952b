/**
 * Whether a change may be made: a pure function of the request and of the world as this replica sees it. What it cannot
 * see (a change that another replica lets in at the same moment) is settled when planning: the older object stays.
 */
import { shown } from '../../api/manifest/problem.ts'
import type { Issue } from '../../api/manifest/issue.ts'
import { pathText, valueAt } from '../../api/manifest/path.ts'
import { nameOf, type Violation } from '../../api/rules/violation.ts'
import { declaredOf, matterOf, type AdmissionRequest, type Matter, type Verdict } from './admission-request.ts'
import type { AdmissionWorld } from './admission-world.ts'
import { ClaimIndex } from './claim-index.ts'
import { conflictsOf, fromCandidate, youngest } from './conflicts.ts'
import { nodeFindings } from './node-findings.ts'
import { deletionWarnings, fit, warningsFor } from './warnings.ts'

const MOST_SAID = 5

const ALLOWED: Verdict = { allowed: true, warnings: [] }

/** `index` saves the claims of all objects being looked up anew; it has to be of the world's objects. */
export function review(request: AdmissionRequest, world: AdmissionWorld, index?: ClaimIndex): Verdict {
  const matter = matterOf(request)
  if (matter.type === 'pass') return ALLOWED
  const claims = index ?? ClaimIndex.of(world.snapshot.resources)
  if (matter.type === 'write') return reviewWrite(matter, world, claims)
  const object = claims.find(`${matter.kind}/${matter.name}`)
  return object ? { allowed: true, warnings: fit(deletionWarnings(object, world, claims)) } : ALLOWED
}

function reviewWrite(
  { kind, name, raw, old: rawOld }: Extract<Matter, { type: 'write' }>,
  world: AdmissionWorld,
  index: ClaimIndex,
): Verdict {
  const checked = declaredOf(kind, name, raw)
  const checkedOld = rawOld && declaredOf(kind, name, rawOld)
  if ('issues' in checked) {
    const before = new Set(checkedOld && 'issues' in checkedOld ? checkedOld.issues.map(keyOfIssue) : [])
    const brought = checked.issues.filter((each) => !before.has(keyOfIssue(each)))
    const said = (brought.length > 0 ? brought : checked.issues).map((each) => issueText(kind.name, name, raw, each))
    return brought.length > 0 ? denied(said) : { allowed: true, warnings: fit(said) }
  }
  const old = checkedOld && 'object' in checkedOld ? checkedOld.object : undefined
  // What is made now is the youngest, whatever the clocks of those who made the others.
  const candidate = rawOld ? checked.object : youngest(checked.object)
  const conflicts = conflictsOf(candidate, old, index, world.nodes)
  const found = nodeFindings(candidate, old, world, index)
  const brought = [...conflicts.brought.map((each) => fromCandidate(each, candidate, index)), ...found.brought]
  if (brought.length > 0) return denied(brought.map(violationText))
  return {
    allowed: true,
    warnings: fit([
      ...conflicts.kept.map((each) => `still in conflict: ${violationText(each)}`),
      ...conflicts.possible.map((each) => `on a node that both select, which there is not yet: ${violationText(each)}`),
      ...warningsFor(candidate, found.exhausted, world, index),
    ]),
  }
}

function denied(said: readonly string[]): Verdict {
  const distinct = [...new Set(said)]
  const more = distinct.length - MOST_SAID
  const message = [...distinct.slice(0, MOST_SAID), ...(more > 0 ? [`and ${more} more`] : [])].join('\n')
  return { allowed: false, message, warnings: [] }
}

const keyOfIssue = ({ path, message }: Issue): string => `${pathText(path)} ${message}`

function issueText(kind: string, name: string, raw: object, { path, message, remedy }: Issue): string {
  const value = shown(valueAt(raw, path))
  const field = pathText(path)
  return `${kind}/${name}: ${field === '' ? '' : `${field}: `}${value === undefined ? '' : `${value} `}${message}; ${remedy}`
}

/** `L2VNI/b: spec.vni: 100: VNI 100 belongs to L3VNI/a, and a VNI is unique in the fabric; use a VNI that is free`. */
function violationText({ object, field, value, message, node, remedy }: Violation): string {
  const at = [nameOf(object), field, ...(value === undefined ? [] : [String(value)])].join(': ')
  const where = node === undefined || message.includes(node) ? '' : ` (on node ${node})`
  return `${at}: ${message}${where}; ${remedy}`
}
