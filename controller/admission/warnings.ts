/** What is legal and yet hardly meant: said once, to the person who makes the change. */
import type { AnyResource } from '../../api/kinds/kinds.ts'
import { parsePrefix, sizeOf } from '../../api/address/prefix.ts'
import { sessionHostAddress } from '../../api/plan/numbers.ts'
import { passwordOf } from '../../api/plan/session.ts'
import type { Violation } from '../../api/rules/violation.ts'
import { numbered, selected, type AdmissionNode, type AdmissionWorld, type Declared } from './admission-world.ts'
import type { ClaimIndex } from './claim-index.ts'

/** https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response */
const LONGEST = 256
const MOST = 6

/** As the API server takes them: short, and few. */
export function fit(warnings: readonly string[]): readonly string[] {
  const whole = warnings
    .slice(0, MOST)
    .map((each) => (each.length <= LONGEST ? each : `${each.slice(0, LONGEST - 3)}...`))
  return warnings.length <= MOST ? whole : [...whole, `and ${warnings.length - MOST} warnings more`]
}

/** `exhausted`: of nodes with numbers, those that a pool of the candidate has no address for. */
export function warningsFor(
  candidate: Declared,
  exhausted: readonly Violation[],
  world: AdmissionWorld,
  index: ClaimIndex,
): readonly string[] {
  const here = selected(world.nodes, candidate.spec.nodeSelector)
  if (world.nodes.length > 0 && here.size === 0)
    return [`spec.nodeSelector matches none of the ${world.nodes.length} nodes`, ...secrets(candidate, world)]
  return [
    ...vrfWithoutL3vni(candidate, index),
    ...withoutUnderlay(candidate, here, world, index),
    ...(exhausted.length > 0 ? fullPools(exhausted) : smallPools(candidate, here)),
    ...smallSessions(candidate, here, world),
    ...secrets(candidate, world),
  ]
}

function vrfWithoutL3vni(candidate: Declared, index: ClaimIndex): readonly string[] {
  if (candidate.kind !== 'L2VNI' || candidate.spec.vrf === undefined) return []
  const { vrf } = candidate.spec
  for (const each of index.objects) if (each.kind === 'L3VNI' && each.spec.vrf === vrf) return []
  return [`spec.vrf: no L3VNI has the VRF ${vrf}; until one has, it is local to each node`]
}

function withoutUnderlay(
  candidate: Declared,
  here: ReadonlySet<AdmissionNode>,
  world: AdmissionWorld,
  index: ClaimIndex,
): readonly string[] {
  if (candidate.kind === 'Underlay') return []
  const underlays = [...index.objects].filter((each) => each.kind === 'Underlay')
  if (world.nodes.length === 0)
    return underlays.length > 0 ? [] : ['there is no Underlay yet; nothing happens on any node until there is one']
  const covered = underlays.map((each) => selected(world.nodes, each.spec.nodeSelector))
  const bare = [...here].filter((node) => !covered.some((each) => each.has(node))).map(({ name }) => name)
  if (bare.length === 0) return []
  return [`no Underlay selects ${listed(bare, 'node', 3)}; nothing happens there until one does`]
}

function fullPools(exhausted: readonly Violation[]): readonly string[] {
  return [...Map.groupBy(exhausted, ({ field, value }) => `${field}: ${value}`)].map(([pool, all]) => {
    const without = all.flatMap(({ node }) => node ?? [])
    return `${pool} has no address for ${listed(without, 'node', 3)}; use a larger pool`
  })
}

/** Node N (from 0) has address 1 + N of a pool. */
function smallPools(candidate: Declared, here: ReadonlySet<AdmissionNode>): readonly string[] {
  if (candidate.kind !== 'Underlay') return []
  const { vtep, routerIDCIDR } = candidate.spec
  const pools = [
    ...(vtep?.cidrs ?? []).map((cidr, i) => ({ field: `spec.vtep.cidrs[${i}]`, cidr })),
    ...(routerIDCIDR === undefined ? [] : [{ field: 'spec.routerIDCIDR', cidr: routerIDCIDR }]),
  ]
  return pools.flatMap(({ field, cidr }) => {
    const prefix = parsePrefix(cidr)
    if (!prefix || sizeOf(prefix) > BigInt(here.size)) return []
    return [`${field}: ${cidr} has ${sizeOf(prefix) - 1n} addresses for ${here.size} nodes; use a larger pool`]
  })
}

/** The host of node N (from 0) has address 2 + N of the network. */
function smallSessions(
  candidate: Declared,
  here: ReadonlySet<AdmissionNode>,
  world: AdmissionWorld,
): readonly string[] {
  if (candidate.kind !== 'L3VNI' && candidate.kind !== 'L3Passthrough') return []
  const { ipv4, ipv6 } = candidate.spec.hostSession?.localCIDR ?? {}
  const cidrs = [
    ipv4 === undefined ? [] : [{ family: 'ipv4', cidr: ipv4 }],
    ipv6 === undefined ? [] : [{ family: 'ipv6', cidr: ipv6 }],
  ].flat()
  if (cidrs.length === 0) return []
  const facts = [...here].flatMap((node) => numbered(world, node) ?? [])
  const highest = facts.reduce((most, { index }) => Math.max(most, index), here.size - 1)
  return cidrs.flatMap(({ family, cidr }) => {
    if (highest < 0 || sessionHostAddress(cidr, highest) !== undefined) return []
    const without = facts.filter(({ index }) => sessionHostAddress(cidr, index) === undefined).map(({ name }) => name)
    const whom = without.length > 0 ? listed(without, 'node', 3) : `all of the ${here.size} nodes`
    return [`spec.hostSession.localCIDR.${family}: ${cidr} has no address for ${whom}; use a larger network`]
  })
}

function secrets(candidate: Declared, { snapshot }: AdmissionWorld): readonly string[] {
  const sessions =
    candidate.kind === 'Underlay'
      ? candidate.spec.neighbors.map((session, i) => ({ session, field: `spec.neighbors[${i}].passwordSecret` }))
      : candidate.kind !== 'L2VNI' && candidate.spec.hostSession
        ? [{ session: candidate.spec.hostSession, field: 'spec.hostSession.passwordSecret' }]
        : []
  return sessions.flatMap(({ session, field }) => {
    const wanted = session.passwordSecret
    if (!wanted) return []
    // Secrets are followed once an object names them, so one that is not known may be there all the same.
    if (!Object.hasOwn(snapshot.secrets, wanted.name))
      return [
        `${field}: Secret/${wanted.name} is not known yet; the session waits until it is there with the key ${wanted.key}`,
      ]
    const password = passwordOf(session, snapshot.secrets)
    return 'password' in password ? [] : [`${field}: ${password.message}; the session waits`]
  })
}

/** Of what is deleted: who needs it. */
export function deletionWarnings(object: Declared, world: AdmissionWorld, index: ClaimIndex): readonly string[] {
  const others = [...index.objects].filter((each) => each !== object)
  if (object.kind === 'L3VNI') {
    const { vrf } = object.spec
    if (others.some((each) => each.kind === 'L3VNI' && each.spec.vrf === vrf)) return []
    const segments = others.filter((each) => each.kind === 'L2VNI' && each.spec.vrf === vrf).map(nameOf)
    return segments.length === 0
      ? []
      : [`the VRF ${vrf} of ${listed(segments, '', 5)} is no longer stretched over the fabric`]
  }
  if (object.kind !== 'Underlay') return []
  const remaining = others.filter((each) => each.kind === 'Underlay')
  const covered = remaining.map((each) => selected(world.nodes, each.spec.nodeSelector))
  const bare = new Set(
    [...selected(world.nodes, object.spec.nodeSelector)].filter((node) => !covered.some((each) => each.has(node))),
  )
  const stranded = others
    .filter((each) => each.kind !== 'Underlay')
    .filter((each) => [...selected(world.nodes, each.spec.nodeSelector)].some((node) => bare.has(node)))
    .map(nameOf)
  return stranded.length === 0
    ? []
    : [
        `${listed(stranded, '', 5)} will not be Ready: no Underlay is left on ${listed(
          [...bare].map(({ name }) => name),
          'node',
          3,
        )}`,
      ]
}

const nameOf = ({ kind, metadata }: AnyResource): string => `${kind}/${metadata.name}`

/** `nodes a, b, c and 9 more`. */
function listed(names: readonly string[], noun: '' | 'node', most: number): string {
  const some = [...names].sort().slice(0, most).join(', ')
  const all = names.length > most ? `${some} and ${names.length - most} more` : some
  return noun === '' ? all : `${names.length === 1 ? noun : `${noun}s`} ${all}`
}
