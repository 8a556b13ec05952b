/**
 * What the kernel has, kept current: nobody reads tables of thousands at every look. All is read anew when the kernel
 * could not tell everything (an overrun), when the router's namespace is another one, and when asked to.
 *
 * What has no events: the netns IDs are read at every look, sysctls but for the few that have when all is read, own MACs
 * of bridges and additions to VNI filters are noted by who makes them.
 */
import type { Namespaces } from '../namespaces.ts'
import { RTM_NEWADDR } from '../netlink/address.ts'
import { Feed } from '../netlink/feed.ts'
import { AF_INET6 } from '../netlink/inet.ts'
import type { Link } from '../netlink/link.ts'
import { RTM_NEWLINK } from '../netlink/link-message.ts'
import type { Message, Request } from '../netlink/message.ts'
import { NetlinkError } from '../netlink/netlink-error.ts'
import type { Netlink } from '../netlink/netlink.ts'
import { netnsId } from '../netlink/netns.ts'
import { listRules, RTM_DELRULE, RTM_NEWRULE, type Rule } from '../netlink/rule.ts'
import type { Namespace } from '../objects.ts'
import { NOBODY } from '../owner.ts'
import { routerSysctls } from '../sysctls.ts'
import type { TableChanges, Tables } from '../tables.ts'
import { EVENT_FILTER } from './event-filter.ts'
import { concernsAll, RTM_NEWNETCONF } from './netconf.ts'
import { NamespaceMirror } from './namespace-mirror.ts'
import { RouteMirror } from './route-mirror.ts'

const SYSCTLS = routerSysctls(NOBODY).map(({ path }) => path)
const NAMESPACES = ['router', 'host'] as const
/** Of each namespace, in one turn of the event loop; the rest waits for the next. */
const TURN_DATAGRAMS = 256

export class Mirror implements Disposable {
  readonly router = new NamespaceMirror({ overlay: true })
  readonly host = new NamespaceMirror({ overlay: false })
  readonly #namespaces: Namespaces
  readonly #routes = new RouteMirror()
  #rules: readonly Rule[] = []
  #sysctls: ReadonlyMap<string, string> = new Map()
  readonly #feeds = new Map<Namespace, Feed>()
  /** The socket of the router's namespace that the tables are of. */
  #netlink: Netlink | undefined
  /** Whether all must be read, and whether the next look says so. */
  #lost = true
  #everything = true
  #rulesStale = false
  #sysctlsStale = false
  #listener: (() => void) | undefined

  constructor(namespaces: Namespaces) {
    this.#namespaces = namespaces
  }

  /**
   * The tables as they are now, and what became different since the last look. They are live: what is kept of them
   * longer than until the next event must be copied. Throws NetlinkError, and what node:fs throws.
   */
  look(): { readonly tables: Tables; readonly changes: TableChanges } {
    this.catchUp()
    const others = this.#netnsIds()
    if (others.router !== this.router.other || others.host !== this.host.other) this.#readAll()
    this.#settle()
    if (this.#everything) {
      this.#everything = false
      this.#seen()
      return { tables: this.#tables(), changes: 'everything' }
    }
    const changes: TableChanges = {
      links: { router: new Set(this.router.touched), host: new Set(this.host.touched) },
      routes: this.#routes.changed,
      rules: this.#rulesStale,
      sysctls: this.#sysctlsStale,
    }
    if (this.#rulesStale) this.#rules = listRules(this.#namespaces.netlink('router'))
    if (this.#sysctlsStale) this.#sysctls = this.#namespaces.readSysctls('router', SYSCTLS)
    this.#seen()
    return { tables: this.#tables(), changes }
  }

  /** The next look reads everything. */
  distrust(): void {
    this.#lost = true
  }

  /** Takes up what happened until now, and reads everything when that is not enough. */
  catchUp(): void {
    this.#follow()
    this.drain()
    if (this.#lost) this.#readAll()
  }

  /**
   * Takes up what happened until now: for `link` and `index` of NamespaceMirror to be true, and after every send, so that
   * the kernel need not hold too much.
   */
  drain(): void {
    for (const [namespace, feed] of this.#feeds) this.#read(namespace, feed, Infinity)
  }

  /** What was sent, when it has been done: of some of it the kernel tells nothing. */
  noteSent(namespace: Namespace, requests: readonly Request[]): void {
    this.drain()
    for (const { type, body } of requests) {
      if (type === RTM_NEWLINK) this[namespace].noteChange(body.readInt32LE(4))
      if (type === RTM_NEWADDR && body[0] === AF_INET6) this[namespace].noteAddress(body.readInt32LE(4))
    }
  }

  link(namespace: Namespace, name: string): Link | undefined {
    return this[namespace].link(this.#namespaces.netlink(namespace), name)
  }

  noteSysctls(): void {
    this.#sysctlsStale = true
  }

  /**
   * Calls `listener`, instead of the one before, when something came in, which need not be news: `different` says.
   * Keeps the process alive until it is called without one, or closed.
   */
  onEvent(listener?: () => void): void {
    this.#listener = listener
    this.#follow()
    for (const [namespace, feed] of this.#feeds) this.#watch(namespace, feed)
  }

  /** Whether a look would show something new. */
  get different(): boolean {
    if (this.#lost || this.#everything) return true
    this.#settle()
    const touched = NAMESPACES.some((namespace) => this[namespace].touched.size > 0)
    return touched || this.#routes.changed || this.#rulesStale || this.#sysctlsStale
  }

  /** The next look opens it again. */
  close(): void {
    for (const feed of this.#feeds.values()) feed.close()
    this.#feeds.clear()
    this.#netlink = undefined
    this.#lost = true
    this.#listener = undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Opens feeds; the router's anew when its namespace is another one. */
  #follow(): void {
    const netlink = this.#namespaces.netlink('router')
    if (this.#netlink !== netlink) {
      this.#feeds.get('router')?.close()
      this.#feeds.delete('router')
      this.#netlink = netlink
      this.#lost = true
    }
    for (const namespace of NAMESPACES) if (!this.#feeds.has(namespace)) this.#open(namespace)
  }

  #open(namespace: Namespace): void {
    const groups =
      namespace === 'host'
        ? (['link', 'address'] as const)
        : (['link', 'address', 'route', 'rule', 'netconf', 'bridgeVlan', 'tunnel'] as const)
    const netns = namespace === 'host' ? undefined : this.#namespaces.path(namespace)
    const feed = Feed.open({ groups, netns, filter: EVENT_FILTER })
    this.#feeds.set(namespace, feed)
    this.#watch(namespace, feed)
  }

  #watch(namespace: Namespace, feed: Feed): void {
    const listener = this.#listener
    if (listener === undefined) return feed.unwatch()
    feed.watch(() => {
      this.#read(namespace, feed, TURN_DATAGRAMS)
      listener()
    })
  }

  #read(namespace: Namespace, feed: Feed, datagrams: number): void {
    if (feed.read((message) => this.#take(namespace, message), datagrams)) this.#lost = true
  }

  #take(namespace: Namespace, message: Message): void {
    if (this.#lost) return
    try {
      this[namespace].take(message)
      if (namespace === 'host') return
      this.#routes.take(message)
      if (message.type === RTM_NEWRULE || message.type === RTM_DELRULE) this.#rulesStale = true
      if (message.type === RTM_NEWNETCONF && concernsAll(message.body)) this.#sysctlsStale = true
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error
      this.#lost = true
    }
  }

  #readAll(): void {
    // What is still queued is older than what is read now, or will be told again.
    this.#lost = false
    this.#everything = true
    for (const namespace of NAMESPACES) this[namespace].read(this.#namespaces.netlink(namespace))
    const netlink = this.#namespaces.netlink('router')
    this.#routes.read(netlink)
    this.#rules = listRules(netlink)
    this.#sysctls = this.#namespaces.readSysctls('router', SYSCTLS)
    const others = this.#netnsIds()
    this.router.other = others.router
    this.host.other = others.host
  }

  #settle(): void {
    for (const namespace of NAMESPACES) {
      for (const link of this[namespace].settle(this.#namespaces.netlink(namespace)))
        this.#lookAtPartner(namespace, link)
    }
    this.#routes.weaken(this.router.weakened)
    this.router.weakened.clear()
    this.host.weakened.clear()
    this.#routes.settle(this.#namespaces.netlink('router'))
  }

  /** A veth that comes, goes or moves makes no event of its other end, which names it. */
  #lookAtPartner(namespace: Namespace, link: Link): void {
    const mirror = this[namespace]
    const there =
      link.parentNetnsId === undefined
        ? namespace
        : link.parentNetnsId === mirror.other
          ? otherOf(namespace)
          : undefined
    if (link.parent === undefined) {
      // Its first message comes before it has a partner.
      if (mirror.links.has(link.index)) mirror.refetch(this.#namespaces.netlink(namespace), link.index)
      return
    }
    const partner = there === undefined ? undefined : this[there].links.get(link.parent)
    if (there === undefined || partner === undefined) return
    this[there].touched.add(partner.name)
    const back = there === namespace ? undefined : this[there].other
    const agrees =
      partner.parent === link.index && partner.parentNetnsId === back && mirror.links.get(link.index) === link
    if (!agrees) this[there].refetch(this.#namespaces.netlink(there), partner.index)
  }

  #netnsIds(): Readonly<Record<Namespace, number | undefined>> {
    const idFrom = (namespace: Namespace): number | undefined =>
      netnsId(this.#namespaces.netlink(namespace), this.#namespaces.descriptor(otherOf(namespace)))
    return { router: idFrom('router'), host: idFrom('host') }
  }

  #seen(): void {
    this.router.touched.clear()
    this.host.touched.clear()
    this.#routes.changed = false
    this.#rulesStale = false
    this.#sysctlsStale = false
  }

  #tables(): Tables {
    const { router, host } = this
    return { router, host, routes: this.#routes.routes, rules: this.#rules, sysctls: this.#sysctls }
  }
}

function otherOf(namespace: Namespace): Namespace {
  return namespace === 'router' ? 'host' : 'router'
}
