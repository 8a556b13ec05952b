/**
 * What an Underlay or an L3Passthrough does to the numbers of nodes, in the words of the plan: the pool no longer holds an
 * address in use, a VTEP is a neighbour's address, the passthrough network contains one of them.
 */
import { isDeepStrictEqual } from 'node:util'
import type { L3Passthrough } from '../../api/kinds/l3passthrough.ts'
import type { Underlay } from '../../api/kinds/underlay.ts'
import { numberHolders } from '../../api/plan/number-holders.ts'
import { plannedPassthrough } from '../../api/plan/passthrough.ts'
import { plannedRouter } from '../../api/plan/router.ts'
import { nameOf, type Violation } from '../../api/rules/violation.ts'
import { numbered, selected, type AdmissionWorld, type Declared } from './admission-world.ts'
import type { ClaimIndex } from './claim-index.ts'

export interface NodeFindings {
  /** New: the change is refused for them. */
  readonly brought: readonly Violation[]
  /** Nodes for which a pool has no address. */
  readonly exhausted: readonly Violation[]
}

export function nodeFindings(
  candidate: Declared,
  old: Declared | undefined,
  world: AdmissionWorld,
  index: ClaimIndex,
): NodeFindings {
  const nothing = { brought: [], exhausted: [] }
  if (candidate.kind !== 'Underlay' && candidate.kind !== 'L3Passthrough') return nothing
  if (old && isDeepStrictEqual(numbersOf(old), numbersOf(candidate))) return nothing
  const before = new Set(old ? findings(old, world, index).map(keyOf) : [])
  const brought = findings(candidate, world, index).filter((each) => !before.has(keyOf(each)))
  // A node that comes anew with numbers from elsewhere keeps them; that is no shrinking.
  const had = new Set(old ? [...selected(world.nodes, old.spec.nodeSelector)].map(({ name }) => name) : [])
  const held = ({ reason, node }: Violation): boolean =>
    reason === 'SubnetOverlap' || reason === 'AddressConflict' || (reason === 'PoolInUse' && had.has(node ?? ''))
  return {
    brought: onePerReason(brought.filter(held)),
    exhausted: brought.filter((each) => each.reason === 'PoolExhausted'),
  }
}

/** What of the object the findings depend on. */
function numbersOf({ kind, spec }: Declared) {
  if (kind === 'L3Passthrough') return [spec.nodeSelector, spec.hostSession.localCIDR]
  if (kind !== 'Underlay') return []
  return [spec.nodeSelector, spec.vtep, spec.routerIDCIDR, spec.neighbors.map(({ address }) => address)]
}

function findings(resource: Declared, world: AdmissionWorld, index: ClaimIndex): readonly Violation[] {
  const underlays = resource.kind === 'Underlay' ? [resource] : [...ofKind(index, 'Underlay')]
  const passthroughs = resource.kind === 'L3Passthrough' ? [resource] : [...ofKind(index, 'L3Passthrough')]
  const holders = numberHolders(world.snapshot.resources)
  const own = selected(world.nodes, resource.spec.nodeSelector)
  return underlays.flatMap((underlay) => {
    const open = withoutPasswords(underlay)
    const here = selected(world.nodes, underlay.spec.nodeSelector)
    return [...own].flatMap((node) => {
      const facts = here.has(node) ? numbered(world, node) : undefined
      if (!facts) return []
      const { router, refused } = plannedRouter(open, facts, {}, holders)
      const passed = router
        ? passthroughs
            .filter((each) => selected(world.nodes, each.spec.nodeSelector).has(node))
            .flatMap((each) => plannedPassthrough(withoutPassword(each), router, facts, {}).refused)
        : []
      return resource.kind === 'Underlay' ? [...refused, ...passed] : passed
    })
  })
}

function* ofKind<K extends Declared['kind']>(index: ClaimIndex, kind: K): Generator<Extract<Declared, { kind: K }>> {
  for (const each of index.objects) if (each.kind === kind) yield each as Extract<Declared, { kind: K }>
}

/** A session that waits for its Secret will be there one day. */
function withoutPasswords(underlay: Underlay): Underlay {
  const neighbors = underlay.spec.neighbors.map((each) => ({ ...each, passwordSecret: undefined }))
  return { ...underlay, spec: { ...underlay.spec, neighbors } }
}

function withoutPassword(passthrough: L3Passthrough): L3Passthrough {
  const hostSession = { ...passthrough.spec.hostSession, passwordSecret: undefined }
  return { ...passthrough, spec: { ...passthrough.spec, hostSession } }
}

const keyOf = ({ object, other, reason, node, field }: Violation): string =>
  [reason, nameOf(object), other ? nameOf(other) : '', node, field].join(' ')

/** Thousands of nodes may be hit by one mistake: the first of them stands for all. */
function onePerReason(violations: readonly Violation[]): readonly Violation[] {
  return [...Map.groupBy(violations, ({ reason, object, field }) => [reason, nameOf(object), field].join(' ')).values()]
    .map((all): Violation | undefined => {
      const [first] = all
      const more = all.length - 1
      return first && (more === 0 ? first : { ...first, message: `${first.message} (and ${more} nodes more)` })
    })
    .filter((each) => each !== undefined)
}
