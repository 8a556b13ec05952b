/**
 * Conflicts that a change brings: what the rules say of the candidate and those it might be in the way of, less what they
 * said before. What was in conflict already may be edited, also to get out of it, as long as nothing new comes of it.
 */
import { canMeet, selects } from '../../api/kinds/selector.ts'
import { judgeAnywhere, judgeFabric, judgeNode } from '../../api/rules/judge.ts'
import { nameOf, type Violation } from '../../api/rules/violation.ts'
import { snapshotOf } from '../../api/snapshot/snapshot.ts'
import { selected, type AdmissionNode, type Declared } from './admission-world.ts'
import { keyOf, type ClaimIndex, type Neighbor } from './claim-index.ts'

export interface Conflicts {
  /** New: the change is refused for them. Of the candidate, or of others for the candidate's sake. */
  readonly brought: readonly Violation[]
  /** They were there before. */
  readonly kept: readonly Violation[]
  /** On no node that there is, but on one that there could be. */
  readonly possible: readonly Violation[]
}

/** An object that is in the way of so many that it has to be refused anyway is not followed any further. */
const MOST_INVOLVED = 200

export function conflictsOf(
  candidate: Declared,
  old: Declared | undefined,
  index: ClaimIndex,
  nodes: readonly AdmissionNode[],
): Conflicts {
  const meeting = meets(nodes)
  const involved = connected(candidate, old, index, meeting)
  if (involved.length === 0) return { brought: [], kept: [], possible: possible(candidate, index, nodes, meeting) }
  const before = old ? judged([...involved, old], nodes) : new Map<string, Violation>()
  const after = [...judged([...involved, candidate], nodes)].filter(([, each]) => concerns(each, candidate))
  const brought = after.filter(([key]) => !before.has(key)).map(([, each]) => each)
  const kept = after.filter(([key]) => before.has(key)).map(([, each]) => each)
  return { brought: distinct(brought), kept: distinct(kept), possible: possible(candidate, index, nodes, meeting) }
}

type Meets = (a: Declared, b: Declared) => boolean

/** Where no node is known, selectors that can meet are taken to meet. */
function meets(nodes: readonly AdmissionNode[]): Meets {
  return (a, b) => {
    if (nodes.length === 0) return canMeet(a.spec.nodeSelector, b.spec.nodeSelector)
    const { nodeSelector } = b.spec
    return [...selected(nodes, a.spec.nodeSelector)].some(({ labels }) => selects(nodeSelector, labels))
  }
}

const inTheWay = (of: Declared, { resource, scope }: Neighbor, meeting: Meets): boolean =>
  scope === 'fabric' || meeting(of, resource)

/** Everything that the candidate's standing, before or after, may depend on; without the candidate itself. */
function connected(
  candidate: Declared,
  old: Declared | undefined,
  index: ClaimIndex,
  meeting: Meets,
): readonly Declared[] {
  const own = keyOf(candidate)
  const found = new Set<Declared>()
  const open = old ? [candidate, old] : [candidate]
  for (let each = open.pop(); each && found.size < MOST_INVOLVED; each = open.pop())
    for (const neighbor of index.neighbors(each)) {
      const { resource } = neighbor
      if (found.size >= MOST_INVOLVED) break
      if (found.has(resource) || keyOf(resource) === own || !inTheWay(each, neighbor, meeting)) continue
      found.add(resource)
      open.push(resource)
    }
  return [...found]
}

/** Violations by what they say, on which node. */
function judged(objects: readonly Declared[], nodes: readonly AdmissionNode[]): ReadonlyMap<string, Violation> {
  const found = new Map<string, Violation>()
  const fabric = judgeFabric(snapshotOf(objects))
  for (const each of fabric.refused) found.set(keyOfViolation(each, ''), each)
  if (nodes.length === 0) {
    for (const each of judgeAnywhere(fabric.accepted).refused) found.set(keyOfViolation(each, ''), each)
    return found
  }
  for (const group of alike(objects, nodes)) {
    const [one] = group
    if (!one) continue
    for (const each of judgeNode(fabric.accepted, one).refused)
      for (const { name } of group) found.set(keyOfViolation(each, name), { ...each, node: name })
  }
  return found
}

/** Nodes that the same of these objects select: what is true of one is true of all. */
function alike(objects: readonly Declared[], nodes: readonly AdmissionNode[]): Iterable<readonly AdmissionNode[]> {
  const selections = [...new Set(objects.map((each) => selected(nodes, each.spec.nodeSelector)))]
  return Map.groupBy(nodes, (node) => selections.map((each) => Number(each.has(node))).join('')).values()
}

/** Who of the two is refused may change with nothing new between them. */
function keyOfViolation({ object, other, reason }: Violation, node: string): string {
  const pair = [nameOf(object), other ? nameOf(other) : ''].sort()
  return [reason, ...pair, node].join(' ')
}

function concerns({ object, other }: Violation, candidate: Declared): boolean {
  const name = keyOf(candidate)
  return nameOf(object) === name || (other !== undefined && nameOf(other) === name)
}

/** Once for all nodes. */
function distinct(violations: readonly Violation[]): readonly Violation[] {
  return [...new Map(violations.toReversed().map((each) => [keyOfViolation(each, ''), each])).values()].toReversed()
}

function possible(
  candidate: Declared,
  index: ClaimIndex,
  nodes: readonly AdmissionNode[],
  meeting: Meets,
): readonly Violation[] {
  if (nodes.length === 0) return []
  for (const { resource, scope } of index.neighbors(candidate)) {
    if (scope === 'fabric' || !canMeet(candidate.spec.nodeSelector, resource.spec.nodeSelector)) continue
    if (meeting(candidate, resource)) continue
    const { accepted } = judgeFabric(snapshotOf([resource, youngest(candidate)]))
    const [first] = judgeAnywhere(accepted).refused
    if (first) return [first]
  }
  return []
}

/** As if it had come last, so that whatever is wrong is said of it. */
export function youngest(candidate: Declared): Declared {
  return { ...candidate, metadata: { ...candidate.metadata, creationTimestamp: '9999-12-31T23:59:59Z' } } as Declared
}

/** The same conflict as seen from the candidate: its field and value, and the other's name. */
export function fromCandidate(violation: Violation, candidate: Declared, index: ClaimIndex): Violation {
  if (nameOf(violation.object) === keyOf(candidate)) return violation
  const other = index.find(nameOf(violation.object))
  if (!other) return violation
  const pair = judgeFabric(snapshotOf([other, youngest(candidate)]))
  const seen = [...pair.refused, ...judgeAnywhere(pair.accepted).refused].find(
    (each) => each.reason === violation.reason,
  )
  return seen ? { ...seen, ...(violation.node === undefined ? {} : { node: violation.node }) } : violation
}
