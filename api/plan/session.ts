/** BGP sessions of a plan: neighbours of the underlay and sessions with the host. */
import { canonicalAddress, formatPrefix, parsePrefix, type Family } from '../address/prefix.ts'
import type { HostSession } from '../kinds/session.ts'
import type { Policy } from '../kinds/policy.ts'
import type { Neighbor, UnderlaySpec } from '../kinds/underlay.ts'
import type { Secret } from '../snapshot/snapshot.ts'
import type { Reason } from '../rules/violation.ts'
import type {
  AddressFamily,
  HostSessionPlan,
  NeighborPlan,
  Peer,
  PolicyPlan,
  ResourceRef,
  SessionOptions,
} from './node-plan.ts'
import { sessionRouterAddress } from './numbers.ts'

export type Secrets = Readonly<Record<string, Secret>>

/** Why a session has to wait, or its password (undefined: it has none). */
export type Password = { readonly password: string | undefined } | NoPassword

export interface NoPassword {
  readonly reason: Reason
  readonly message: string
  readonly remedy: string
}

type SessionSpec = Pick<Neighbor, 'holdTime' | 'keepaliveTime' | 'connectTime' | 'passwordSecret' | 'bfd'>

/** Looks the password up. FRR takes 1 to 80 printable characters without spaces. Its text is in no message. */
export function passwordOf(session: SessionSpec, secrets: Secrets): Password {
  const wanted = session.passwordSecret
  if (!wanted) return { password: undefined }
  const secret = Object.hasOwn(secrets, wanted.name) ? secrets[wanted.name] : undefined
  if (!secret) {
    const remedy = `create it with the key ${wanted.key}, in Kubernetes in the controller's namespace`
    return { reason: 'SecretMissing', message: `Secret/${wanted.name} does not exist`, remedy }
  }
  const password = Object.hasOwn(secret.data, wanted.key) ? secret.data[wanted.key] : undefined
  if (password === undefined) {
    const message = `Secret/${wanted.name} has no key ${wanted.key}`
    return { reason: 'SecretMissing', message, remedy: 'add the key, or name another one in passwordSecret.key' }
  }
  if (!/^[\x21-\x7e]{1,80}$/.test(password)) {
    const cause =
      password === ''
        ? 'is empty'
        : password.endsWith('\n')
          ? 'ends with a line break'
          : 'is not 1 to 80 printable ASCII characters without spaces'
    const message = `the password in Secret/${wanted.name}, key ${wanted.key}, ${cause}`
    return { reason: 'SecretInvalid', message, remedy: 'write 1 to 80 printable ASCII characters without spaces there' }
  }
  return { password }
}

export function neighborPlan(neighbor: Neighbor, underlay: UnderlaySpec, password: string | undefined): NeighborPlan {
  const remoteAS = remoteASOf(neighbor.asn, neighbor.type)
  const external = remoteAS === 'external' || (remoteAS !== 'internal' && remoteAS !== underlay.asn)
  const peer = peerOf(neighbor)
  return {
    peer,
    ...(neighbor.port === undefined ? {} : { port: neighbor.port }),
    ...sessionOptions(neighbor, remoteAS, password),
    ebgpMultiHop: neighbor.ebgpMultiHop,
    families: familiesOf(neighbor, peer, underlay),
    routeReflectorClient: neighbor.routeReflectorClient,
    allowASIn: neighbor.allowASIn ?? external,
  }
}

export function hostSessionPlan(
  owner: ResourceRef,
  session: HostSession,
  context: {
    readonly asn: number
    readonly hostAddresses: readonly string[]
    readonly password: string | undefined
    readonly fromHost?: Policy | undefined
    readonly toHost?: Policy | undefined
  },
): HostSessionPlan {
  return {
    for: owner,
    asn: session.asn ?? context.asn,
    ...sessionOptions(session, remoteASOf(session.hostASN, session.hostType), context.password),
    routerAddresses: [session.localCIDR.ipv4, session.localCIDR.ipv6]
      .filter((cidr) => cidr !== undefined)
      .map((cidr) => `${sessionRouterAddress(cidr)}/${parsePrefix(cidr)?.length}`),
    hostAddresses: context.hostAddresses,
    fromHost: policyPlan(context.fromHost),
    toHost: policyPlan(context.toHost),
    allowDefault: session.allowDefault,
  }
}

function sessionOptions(
  session: SessionSpec,
  remoteAS: SessionOptions['remoteAS'],
  password: string | undefined,
): SessionOptions {
  const { holdTime, keepaliveTime, bfd } = session
  return {
    remoteAS,
    ...(holdTime === undefined || keepaliveTime === undefined
      ? {}
      : { timers: { keepaliveSeconds: keepaliveTime, holdSeconds: holdTime } }),
    connectSeconds: session.connectTime,
    ...(password === undefined ? {} : { password }),
    ...(bfd && {
      bfd: {
        receiveIntervalMs: bfd.receiveInterval,
        transmitIntervalMs: bfd.transmitInterval,
        detectMultiplier: bfd.detectMultiplier,
        passive: bfd.passive,
        ...(bfd.minimumTTL === undefined ? {} : { minimumTTL: bfd.minimumTTL }),
      },
    }),
  }
}

function remoteASOf(asn: number | undefined, type: 'Internal' | 'External' | undefined): SessionOptions['remoteAS'] {
  return asn ?? (type === 'Internal' ? 'internal' : 'external')
}

function peerOf(neighbor: Neighbor): Peer {
  if (neighbor.interface !== undefined) return { type: 'interface', interface: neighbor.interface }
  if (neighbor.listenRange !== undefined) return { type: 'range', prefix: canonicalPrefix(neighbor.listenRange) }
  return { type: 'address', address: canonicalAddress(neighbor.address ?? '') }
}

/**
 * Default: the families of the session and of the VTEPs, and EVPN always, so that adding the first VNI resets nothing.
 * An unnumbered session carries both families (RFC 8950).
 */
function familiesOf(neighbor: Neighbor, peer: Peer, underlay: UnderlaySpec): readonly AddressFamily[] {
  const order: readonly AddressFamily[] = ['IPv4Unicast', 'IPv6Unicast', 'L2VPNEVPN']
  const wanted = new Set<AddressFamily>(neighbor.addressFamilies ?? ['L2VPNEVPN'])
  if (!neighbor.addressFamilies) {
    const ofSession: readonly Family[] =
      peer.type === 'interface' ? [4, 6] : [(peer.type === 'range' ? peer.prefix : peer.address).includes(':') ? 6 : 4]
    const ofVteps = (underlay.vtep?.cidrs ?? []).map((cidr): Family => (cidr.includes(':') ? 6 : 4))
    for (const family of [...ofSession, ...ofVteps]) wanted.add(family === 4 ? 'IPv4Unicast' : 'IPv6Unicast')
  }
  return order.filter((family) => wanted.has(family))
}

function policyPlan(policy: Policy | undefined): PolicyPlan {
  return {
    prefixes: (policy?.prefixes ?? []).map((rule) => ({
      cidr: canonicalPrefix(rule.cidr),
      ...(rule.ge === undefined ? {} : { ge: rule.ge }),
      ...(rule.le === undefined ? {} : { le: rule.le }),
      action: rule.action,
    })),
    ...(policy?.maxPrefixes === undefined ? {} : { maxPrefixes: policy.maxPrefixes }),
  }
}

function canonicalPrefix(text: string): string {
  const prefix = parsePrefix(text)
  return prefix ? formatPrefix(prefix) : text
}
