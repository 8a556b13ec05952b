/**
 * How FRR's lines relate: which line takes the place of which, what takes a line back, which lines make a thing that
 * others hang on. Only for lines that `desired` writes; any other line is its own place and goes by `no LINE`.
 */

/** The neighbour a line in a BGP instance is about: address, interface or peer group. */
export function neighborOf(line: string): string | undefined {
  return /^(?:no )?neighbor (\S+)/.exec(line)?.[1] ?? /^(?:no )?bgp listen range \S+ peer-group (\S+)/.exec(line)?.[1]
}

/** Whether the line brings the neighbour into being; all its other lines go when it goes. */
export function makesNeighbor(line: string): boolean {
  return /^neighbor \S+ (remote-as|interface|peer-group)\b/.test(line)
}

/**
 * Lines of one block with the same place exclude each other: the new one is entered over the old one.
 * Everything not listed can stand beside any other line.
 */
export function placeOf(line: string): string {
  const routeMap = /^(neighbor \S+ route-map) \S+ (in|out)$/.exec(line)
  if (routeMap) return `${routeMap[1]} ${routeMap[2]}`
  for (const pattern of places) {
    const place = pattern.exec(line)?.[1]
    if (place !== undefined) return place
  }
  return line
}

const places: readonly RegExp[] = [
  /^(bgp router-id) /,
  /^(bgp graceful-restart (?:stalepath-time|restart-time)) /,
  /^(maximum-paths) \d+$/,
  /^(maximum-paths ibgp) /,
  /^(neighbor \S+ (?:password|bfd profile|port|timers connect|local-as|maximum-prefix-out|maximum-prefix)) /,
  /^(neighbor \S+ timers) \d/,
  /^((?:ip|ipv6) prefix-list \S+ seq \d+) /,
  /^(detect-multiplier|transmit-interval|receive-interval|minimum-ttl) /,
  /^(match (?:ip|ipv6) address) /,
  /^(set as-path exclude) /,
  /^(rd) /,
]

/** What takes a line back. The words of a value are left out where FRR wants it so. */
export function removalOf(line: string): string {
  if (line.startsWith('no ')) return line.slice('no '.length)
  const neighbor = neighborOf(line)
  // A neighbour goes with everything it has; a listen range only by its whole line.
  if (neighbor !== undefined && makesNeighbor(line))
    return `no neighbor ${neighbor}${line.endsWith(' peer-group') ? ' peer-group' : ''}`
  const short =
    /^(neighbor \S+ (?:password|port|timers connect|timers|maximum-prefix-out|maximum-prefix|local-as))\b/.exec(
      line,
    )?.[1]
  return `no ${short ?? line}`
}

/** The removal of a line that makes a block, `router bgp` and its like; undefined for blocks that need none. */
export function blockRemovalOf(line: string): string | undefined {
  return madeByEntering.test(line) ? `no ${line}` : undefined
}

/** Whether entering the line makes the block; the other blocks (address families, `vrf X`, `bfd`) are always there. */
const madeByEntering = /^(router bgp |route-map |profile |vni )/
