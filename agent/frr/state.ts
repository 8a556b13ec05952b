/** FRR's JSON answers as typed data. What a release leaves out is undefined, not an error. */

export interface BgpSession {
  /** Address, or interface for an unnumbered session. */
  readonly peer: string
  /** `default` for the fabric and passthrough. */
  readonly vrf: string
  readonly remoteAS?: number
  /** FRR's word: `Established`, `Active`, `Idle`, `Connect`, `OpenSent`, `OpenConfirm`. */
  readonly state: string
  /** How long it has been in `Established`, 0 when it is not. */
  readonly uptimeMs: number
  /** By address family, in FRR's words: `ipv4Unicast`, `ipv6Unicast`, `l2VpnEvpn`. */
  readonly families: Readonly<Record<string, { readonly received: number; readonly sent: number }>>
  /** Sums over the families. */
  readonly prefixesReceived: number
  readonly prefixesSent: number
  /** Established ever, and lost ever since bgpd started. */
  readonly established: number
  readonly dropped: number
  /** State of the BFD session: `up`, `down`, `init`, `shutdown`; absent without BFD. */
  readonly bfd?: string
}

export interface EvpnVni {
  readonly vni: number
  readonly type: 'L2' | 'L3'
  readonly vrf: string
  readonly vxlanInterface: string
  readonly sviInterface?: string
  /** L3 only: `Up` or `Down`. */
  readonly state?: string
  readonly routerMAC?: string
  readonly remoteVteps: readonly string[]
  readonly macs: number
  readonly arps: number
}

export interface VrfVni {
  readonly vrf: string
  readonly vni: number
  readonly vxlanInterface: string
  readonly sviInterface: string
  readonly state: string
  readonly routerMAC: string
}

export interface BfdPeer {
  readonly peer: string
  readonly vrf: string
  readonly interface?: string
  readonly status: string
  readonly uptimeSeconds?: number
  readonly diagnostic?: string
}

/** `show bgp vrf all summary json`: VRF -> family -> peers. */
export function sessionsOf(json: unknown, bfdPeers: readonly BfdPeer[] = []): readonly BgpSession[] {
  const sessions = new Map<string, BgpSession>()
  for (const [vrf, families] of entries(json)) {
    for (const [family, summary] of entries(families)) {
      for (const [peer, facts] of entries(record(summary)['peers'])) {
        const key = `${vrf}\n${peer}`
        sessions.set(key, withFamily(sessions.get(key) ?? sessionOf(vrf, peer, facts, bfdPeers), family, facts))
      }
    }
  }
  return [...sessions.values()]
}

function sessionOf(vrf: string, peer: string, facts: unknown, bfdPeers: readonly BfdPeer[]): BgpSession {
  const of = record(facts)
  const state = text(of['state'])
  const remoteAS = number(of['remoteAs'])
  const bfd = bfdPeers.find((other) => other.vrf === vrf && (other.peer === peer || other.interface === peer))?.status
  return {
    peer,
    vrf,
    ...(remoteAS === 0 ? {} : { remoteAS }),
    state,
    uptimeMs: state === 'Established' ? number(of['peerUptimeMsec']) : 0,
    families: {},
    prefixesReceived: 0,
    prefixesSent: 0,
    established: number(of['connectionsEstablished']),
    dropped: number(of['connectionsDropped']),
    ...(bfd === undefined ? {} : { bfd }),
  }
}

function withFamily(session: BgpSession, family: string, facts: unknown): BgpSession {
  const of = record(facts)
  const received = number(of['pfxRcd'])
  const sent = number(of['pfxSnt'])
  return {
    ...session,
    families: { ...session.families, [family]: { received, sent } },
    prefixesReceived: session.prefixesReceived + received,
    prefixesSent: session.prefixesSent + sent,
  }
}

/** `show bgp vrf all summary failed json`: how many sessions there are in each VRF and family, and which are down. */
export function downOf(json: unknown): string {
  const lines = entries(json).flatMap(([vrf, families]) =>
    entries(families).map(([family, summary]) => {
      const { peers, totalPeers } = record(summary)
      return [vrf, family, number(totalPeers), ...Object.keys(record(peers)).sort()].join(' ')
    }),
  )
  return lines.sort().join('\n')
}

/** `show evpn vni detail json`. */
export function evpnVnisOf(json: unknown): readonly EvpnVni[] {
  return list(json).map((item) => {
    const of = record(item)
    const state = text(of['state'])
    const routerMAC = text(of['routerMac'])
    const sviInterface = text(of['sviInterface']) || text(of['sviIntf'])
    return {
      vni: number(of['vni']),
      type: of['type'] === 'L3' ? 'L3' : 'L2',
      vrf: text(of['tenantVrf']),
      vxlanInterface: text(of['vxlanInterface']) || text(of['vxlanIntf']),
      ...(sviInterface === '' ? {} : { sviInterface }),
      ...(state === '' ? {} : { state }),
      ...(routerMAC === '' ? {} : { routerMAC }),
      remoteVteps: list(of['remoteVteps']).map((vtep) => (typeof vtep === 'string' ? vtep : text(record(vtep)['ip']))),
      macs: number(of['numMacs']),
      arps: number(of['numArpNd']),
    } as const
  })
}

/** `show evpn json`: how many VNIs of both layers zebra has; undefined when it does not say. */
export function vniCountOf(json: unknown): number | undefined {
  const count = record(json)['numVnis']
  return typeof count === 'number' ? count : undefined
}

/** `show interface LINK json`: the bridge of which the link of that number is a port; undefined when zebra does not know it. */
export function bridgeOf(json: unknown, index: number): string | undefined {
  const [, link] = entries(json)[0] ?? []
  const { masterInterface, index: number } = record(link)
  return typeof masterInterface === 'string' && number === index ? masterInterface : undefined
}

/** `show vrf vni json`. */
export function vrfVnisOf(json: unknown): readonly VrfVni[] {
  return list(record(json)['vrfs']).map((item) => {
    const of = record(item)
    return {
      vrf: text(of['vrf']),
      vni: number(of['vni']),
      vxlanInterface: text(of['vxlanIntf']),
      sviInterface: text(of['sviIntf']),
      state: text(of['state']),
      routerMAC: text(of['routerMac']),
    }
  })
}

/** `show bfd peers json`. */
export function bfdPeersOf(json: unknown): readonly BfdPeer[] {
  return list(json).map((item) => {
    const of = record(item)
    const via = text(of['interface'])
    return {
      peer: text(of['peer']),
      vrf: text(of['vrf']) || 'default',
      ...(via === '' ? {} : { interface: via }),
      status: text(of['status']),
      ...(of['uptime'] === undefined ? {} : { uptimeSeconds: number(of['uptime']) }),
      ...(of['diagnostic'] === undefined ? {} : { diagnostic: text(of['diagnostic']) }),
    }
  })
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

const entries = (value: unknown) => Object.entries(record(value))
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number => (typeof value === 'number' ? value : 0)
