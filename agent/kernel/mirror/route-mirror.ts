/** nodeleaf's own routes of the router: read once, then kept current from what the kernel tells. */
import { isInet } from '../netlink/address.ts'
import type { Message } from '../netlink/message.ts'
import type { Netlink } from '../netlink/netlink.ts'
import { listRoutes, type Route } from '../netlink/route.ts'
import { decodeRoute, routeHead, RTM_DELROUTE, RTM_NEWROUTE } from '../netlink/route-message.ts'
import { PROTOCOL } from '../owner.ts'

export class RouteMirror {
  routes: readonly Route[] = []
  changed = false
  readonly #byKey = new Map<string, Route>()
  /** Family and length of the prefixes, to pass zebra's thousands of routes by. */
  readonly #lengths = new Set<number>()
  /** Whether some have the same key, and only `routes` has them all. */
  #several = false
  #stale = false

  /** Throws NetlinkError EBADMSG. */
  take({ type, body }: Message): void {
    if ((type !== RTM_NEWROUTE && type !== RTM_DELROUTE) || !isInet(body) || this.#stale) return
    const { protocol, length, family, cloned } = routeHead(body)
    if (cloned) return
    // Somebody else's route may have taken the place of ours: of that the kernel tells only what is there now.
    if (protocol !== PROTOCOL) {
      if (
        type === RTM_NEWROUTE &&
        this.#lengths.has(lengthKey(family, length)) &&
        this.#byKey.has(keyOf(decodeRoute(body)))
      )
        this.#stale = true
      return
    }
    const route = decodeRoute(body)
    const key = keyOf(route)
    // Several of one key, or changes in it, are rare.
    if (this.#several || this.#byKey.has(key) === (type === RTM_NEWROUTE)) this.#stale = true
    else if (type === RTM_NEWROUTE) this.#put(route)
    else this.#byKey.delete(key)
    this.changed = true
  }

  /** The kernel may have dropped routes over these links. */
  weaken(links: ReadonlySet<number>): void {
    if (links.size === 0 || this.#stale) return
    this.#stale = this.#over(links)
  }

  #over(links: ReadonlySet<number>): boolean {
    for (const { nexthops } of this.#byKey.values()) {
      if (nexthops.some(({ link }) => link !== undefined && links.has(link))) return true
    }
    return false
  }

  read(netlink: Netlink): void {
    this.#stale = true
    this.settle(netlink)
  }

  settle(netlink: Netlink): void {
    if (this.#stale) {
      this.#stale = false
      this.changed = true
      this.#byKey.clear()
      this.routes = listRoutes(netlink, { protocol: PROTOCOL })
      for (const route of this.routes) this.#put(route)
      this.#several = this.#byKey.size < this.routes.length
    } else if (this.changed && !this.#several) this.routes = [...this.#byKey.values()]
  }

  #put(route: Route): void {
    this.#byKey.set(keyOf(route), route)
    this.#lengths.add(lengthKey(route.family, Number(route.destination.split('/')[1])))
  }
}

function keyOf({ family, table, destination, metric }: Route): string {
  return `${family} ${table} ${destination} ${metric}`
}

function lengthKey(family: number, length: number): number {
  return family * 256 + length
}
