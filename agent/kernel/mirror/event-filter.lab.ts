import { writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { addAddress, RTM_NEWADDR } from '../netlink/address.ts'
import { Feed } from '../netlink/feed.ts'
import { AF_INET6 } from '../netlink/inet.ts'
import { labNetns } from '../netlink/lab-netns.ts'
import { runInNetns } from '../netlink/netns.ts'
import { addRoute, deleteRoute } from '../netlink/route.ts'
import { routeHead, RTM_DELROUTE, RTM_NEWROUTE } from '../netlink/route-message.ts'
import { PROTOCOL } from '../owner.ts'
import { EVENT_FILTER } from './event-filter.ts'
import { concernsAll, RTM_NEWNETCONF } from './netconf.ts'

const BGP = 186

/** What comes to a feed, each once. */
class Heard {
  readonly #feed: Feed
  readonly #found = new Set<string>()

  constructor(feed: Feed) {
    this.#feed = feed
  }

  /** Of what came since the last time, when `last` has come: some comes by itself, after what it is about. */
  async until(last: string): Promise<string[]> {
    for (const end = performance.now() + 30_000; performance.now() < end; await setTimeout(20)) {
      this.#feed.read(({ type, body }) => this.#found.add(textOf(type, body)))
      if (this.#found.has(last)) break
    }
    const found = [...this.#found].toSorted()
    this.#found.clear()
    return found
  }
}

function textOf(type: number, body: Buffer): string {
  if (type === RTM_NEWROUTE) return `route ${routeHead(body).protocol}`
  if (type === RTM_DELROUTE) return `no route ${routeHead(body).protocol}`
  if (type === RTM_NEWNETCONF) return concernsAll(body) ? 'setting of all' : 'setting of a link'
  if (type === RTM_NEWADDR) return `address of ${body[0] === AF_INET6 ? 'IPv6' : 'IPv4'}`
  return 'link'
}

/** A link's state is told again whenever the kernel comes to it. */
const isNews = (text: string): boolean => text !== 'link'

test('what the kernel makes for links and addresses does not come; ours, and what others make, does', async (t) => {
  const lab = labNetns(t)
  using feed = Feed.open({ netns: lab.path, groups: ['link', 'address', 'route', 'netconf'], filter: EVENT_FILTER })
  using all = Feed.open({ netns: lab.path, groups: ['link', 'address', 'route', 'netconf'] })
  const [filtered, unfiltered] = [new Heard(feed), new Heard(all)]
  const data = { kind: 'bridge' } as const
  const { index: link } = lab.link({ name: 'one', data, up: true, addrGenMode: 'none' })
  addAddress(lab.netlink, { link, address: '10.0.0.1/24' })
  addAddress(lab.netlink, { link, address: 'fd00::1/64', noDad: true })
  const addresses = ['address of IPv4', 'address of IPv6']
  t.deepEqual(await unfiltered.until('address of IPv6'), [...addresses, 'link', 'route 2', 'setting of a link'])
  t.deepEqual(await filtered.until('address of IPv6'), [...addresses, 'link'])
  for (const protocol of [PROTOCOL, BGP]) {
    const route = { destination: `10.${protocol}.0.0/16`, protocol, nexthops: [{ link }] }
    addRoute(lab.netlink, route)
    deleteRoute(lab.netlink, route)
  }
  t.deepEqual((await filtered.until(`route ${BGP}`)).filter(isNews), [
    `no route ${PROTOCOL}`,
    `route ${PROTOCOL}`,
    `route ${BGP}`,
  ])
  runInNetns(lab.path, () => {
    for (const value of ['1', '0']) writeFileSync('/proc/sys/net/ipv4/conf/all/forwarding', value)
  })
  t.deepEqual((await filtered.until('setting of all')).filter(isNews), ['setting of all'])
})
