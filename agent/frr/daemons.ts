/**
 * Which daemon takes which line. Ownership moves between FRR's releases: this is the only place that knows.
 *
 * Measured on 10.3. Prefix lists and route maps are used by BGP alone, so they go to bgpd alone: bgpd is no client of
 * mgmtd in 10.x and reads its own copy.
 */
import type { Daemon } from './tree.ts'

interface Owner {
  /** Matches the outermost line of a block or a line of the outermost level. */
  readonly line: RegExp
  /** First that knows the line. */
  readonly daemons: readonly Daemon[]
  /** What `list` of the configuration mode of the owner must contain. */
  readonly probe: RegExp
}

const owners: readonly Owner[] = [
  { line: /^router bgp\b/, daemons: ['bgpd'], probe: /\brouter bgp\b/ },
  { line: /^(ip|ipv6) prefix-list\b/, daemons: ['bgpd'], probe: /\bip prefix-list\b/ },
  { line: /^route-map\b/, daemons: ['bgpd'], probe: /\broute-map\b/ },
  { line: /^bfd\b/, daemons: ['bfdd'], probe: /^\s*bfd\s*$/m },
  // mgmtd took VRFs over from zebra in 10.x.
  { line: /^vrf\b/, daemons: ['mgmtd', 'zebra'], probe: /\bvrf NAME/ },
]

/** Which daemon of a running FRR takes a block: the outcome of `owned`, or the table's first choice. */
export type Ownership = (outermost: string) => readonly Daemon[]

/** The table as measured on 10.3. Lines that nodeleaf never writes belong to nobody. */
export const ownership: Ownership = (outermost) => {
  const daemon = ownerOf(outermost)?.daemons[0]
  return daemon === undefined ? [] : [daemon]
}

/**
 * The ownership in a running FRR, from what each daemon's configuration mode lists; lines of a daemon that does not run
 * belong to nobody.
 * @returns also the lines that no running daemon takes as it should: an FRR that nodeleaf cannot drive.
 */
export function measured(lists: ReadonlyMap<Daemon, string>): { ownership: Ownership; missing: readonly string[] } {
  const takers = new Map(
    owners.map((owner) => [
      owner,
      owner.daemons.filter((daemon) => owner.probe.test(lists.get(daemon) ?? '')).slice(0, 1),
    ]),
  )
  const missing = [...takers].filter(
    ([{ daemons }, takes]) => takes.length === 0 && daemons.some((one) => lists.has(one)),
  )
  return {
    ownership: (outermost) => takers.get(ownerOf(outermost) as Owner) ?? [],
    missing: missing.map(([owner]) => owner.line.source),
  }
}

function ownerOf(outermost: string): Owner | undefined {
  const line = outermost.replace(/^no /, '')
  return owners.find((owner) => owner.line.test(line))
}

/** The daemons that hold a part of nodeleaf's configuration. */
export function holders(of: Ownership): readonly Daemon[] {
  const lines = ['router bgp 1', 'ip prefix-list x', 'route-map x', 'bfd', 'vrf x']
  return [...new Set(lines.flatMap((line) => of(line)))]
}

/**
 * Daemons that nodeleaf may need, in the order in which they start. Not staticd: no line of nodeleaf is its, and it would
 * hear of every link several times as the others do.
 */
export const daemons: readonly Daemon[] = ['mgmtd', 'zebra', 'bgpd', 'bfdd']

/** Those of them that only some plans need. Without BFD bfdd would do nothing but hear of every link. */
export const sometimes: ReadonlySet<Daemon> = new Set(['bfdd'])
