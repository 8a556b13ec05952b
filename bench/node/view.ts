/** What the kernel and zebra have, asked narrowly: a look must cost next to nothing beside what is looked at. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Vty } from '../../agent/frr/vty.ts'
import { listAddresses } from '../../agent/kernel/netlink/address.ts'
import { Feed } from '../../agent/kernel/netlink/feed.ts'
import { getLink, listLinks } from '../../agent/kernel/netlink/link.ts'
import { NetlinkError } from '../../agent/kernel/netlink/netlink-error.ts'
import { Netlink } from '../../agent/kernel/netlink/netlink.ts'
import { differences, knownOf, type Expected, type Known } from './expected.ts'
import type { Signs } from './signs.ts'
import { NIC } from './workload.ts'

/** Between two looks: a twentieth of the time so far, within these bounds; at most as long when the kernel tells. */
const LOOK_MS = [2, 100] as const
const LONGEST_BLIND_MS = 20
const BOUND_MS = 1_800_000
/** Whoever has the same thing missing for so long will never have it. */
const STUCK_MS = 600_000

export class View implements Disposable {
  readonly #netns: string
  readonly #router: Netlink
  readonly #host: Netlink
  readonly #zebra: Vty
  readonly #bgpd: Vty

  private constructor(netns: string, router: Netlink, host: Netlink, zebra: Vty, bgpd: Vty) {
    this.#netns = netns
    this.#router = router
    this.#host = host
    this.#zebra = zebra
    this.#bgpd = bgpd
  }

  static async open(netns: string, frrSockets: string): Promise<View> {
    const [zebra, bgpd] = await Promise.all([
      Vty.open(join(frrSockets, 'zebra.vty')),
      Vty.open(join(frrSockets, 'bgpd.vty')),
    ])
    for (const vty of [zebra, bgpd]) await vty.send('enable')
    const path = `/run/netns/${netns}`
    return new View(path, Netlink.open({ netns: path }), Netlink.open(), zebra, bgpd)
  }

  /**
   * Waits until all is as expected; returns when (of `performance.now`) the last answer came that says so. Signs in the
   * kernel are looked for when it tells of a link or an address, then those in FRR, which tells nothing; everything, of a
   * large change, only when its signs are there.
   * @throws Error naming what does not come; `ended` says why it never will
   */
  async seen(signs: Signs, expected: Expected | undefined, ended: () => string | undefined): Promise<number> {
    const began = performance.now()
    let [last, since] = ['', began]
    let inKernel = false
    using news = signs.some ? undefined : new News(this.#netns)
    for (;;) {
      const lacks: string | undefined = inKernel ? undefined : this.#lacksInKernel(signs)
      inKernel = lacks === undefined
      const missing =
        lacks ??
        (await this.#lacksInFrr(signs)) ??
        (signs.some && expected ? (await this.differences(expected))[0] : undefined)
      const now = performance.now()
      if (missing === undefined) return now
      const why = ended()
      if (why !== undefined) throw new Error(`${missing}: ${why}`)
      if (missing !== last) [last, since] = [missing, now]
      if (now - since > STUCK_MS || now - began > BOUND_MS)
        throw new Error(`not within ${((now - began) / 1000).toFixed(0)} s: ${missing}`)
      if (news !== undefined && !inKernel) await news.next(LONGEST_BLIND_MS)
      else await sleep(Math.min(LOOK_MS[1], Math.max(LOOK_MS[0], (now - began) / 20)))
    }
  }

  /** Waits until zebra has the VNIs. */
  async have(vnis: Signs['vnis']): Promise<void> {
    const [links, noLinks, noVnis, addresses, noAddresses, routes] = [[], [], [], [], [], []]
    const signs = { links, noLinks, vnis, noVnis, addresses, noAddresses, routes, some: false }
    await this.seen(signs, undefined, () => undefined)
  }

  /** The first sign that is not there, in words. */
  #lacksInKernel(signs: Signs): string | undefined {
    const up = (name: string): boolean => getLink(this.#router, name)?.up === true
    const link = signs.links.find((name) => !up(name))
    if (link !== undefined) return `there is no link ${link}`
    const left = signs.noLinks.find((name) => getLink(this.#router, name) !== undefined)
    if (left !== undefined) return `there is still link ${left}`
    const [address] = signs.addresses.filter((each) => !this.#hasAddress(each))
    if (address !== undefined) return `there is no address ${address}`
    const [stale] = signs.noAddresses.filter((each) => this.#hasAddress(each))
    if (stale !== undefined) return `there is still address ${stale}`
    return undefined
  }

  async #lacksInFrr(signs: Signs): Promise<string | undefined> {
    for (const [vni, vrf] of signs.vnis) {
      const known = knownOf(await this.#json(this.#zebra, `show evpn vni ${vni} json`))
      if (known?.whole !== true || known.vrf !== vrf) return `zebra does not have VNI ${vni} in ${vrf}`
    }
    for (const vni of signs.noVnis)
      if (knownOf(await this.#json(this.#zebra, `show evpn vni ${vni} json`)) !== undefined)
        return `zebra still has VNI ${vni}`
    for (const each of signs.routes) {
      const [vrf = '', prefix = ''] = each.split(' ')
      const route = await this.#json(this.#bgpd, `show bgp vrf ${vrf} ipv4 unicast ${prefix} json`)
      if (typeof route !== 'object' || route === null || !('paths' in route)) return `bgpd has no ${prefix} in ${vrf}`
    }
    return undefined
  }

  /** All that is not as expected; empty: everything is. Costs what reading everything costs. */
  async differences(expected: Expected): Promise<readonly string[]> {
    const all = listLinks(this.#router)
    const names = new Map(all.map(({ index, name }) => [index, name]))
    const links = new Map(
      all.filter(({ name }) => name !== 'lo' && name !== NIC.name).map(({ name, kind }) => [name, kind]),
    )
    const hostLinks = listLinks(this.#host).filter(({ name }) => name.startsWith('host-'))
    const addresses = listAddresses(this.#router).map(({ address, link }) => `${address} ${names.get(link)}`)
    return differences(
      expected,
      await this.#vnis(),
      links,
      new Set(hostLinks.map(({ name }) => name)),
      new Set(addresses),
    )
  }

  async #vnis(): Promise<readonly Known[]> {
    const json = await this.#json(this.#zebra, 'show evpn vni detail json')
    return (Array.isArray(json) ? json : []).flatMap((each) => knownOf(each) ?? [])
  }

  #hasAddress(wanted: string): boolean {
    const [address, name = ''] = wanted.split(' ')
    const link = getLink(this.#router, name)
    if (link === undefined) return false
    try {
      return listAddresses(this.#router, { link: link.index }).some((each) => each.address === address)
    } catch (error) {
      // It went in between.
      if (error instanceof NetlinkError && error.code === 'ENODEV') return false
      throw error
    }
  }

  async #json(vty: Vty, line: string): Promise<unknown> {
    const { text } = await vty.send(line)
    try {
      return text === '' ? undefined : (JSON.parse(text) as unknown)
    } catch {
      return undefined
    }
  }

  [Symbol.dispose](): void {
    this.#router.close()
    this.#host.close()
    this.#zebra.close()
    this.#bgpd.close()
  }
}

/** What the kernel tells of links and addresses. */
class News implements Disposable {
  readonly #feed: Feed
  #came = Promise.withResolvers<void>()

  constructor(netns: string) {
    this.#feed = Feed.open({ groups: ['link', 'address'], netns })
    this.#feed.watch(() => {
      this.#feed.read(() => {})
      this.#came.resolve()
    })
  }

  /** Resolves when something came since the last time, at the latest after so long. */
  async next(ms: number): Promise<void> {
    const timer = setTimeout(() => this.#came.resolve(), ms)
    await this.#came.promise
    clearTimeout(timer)
    this.#came = Promise.withResolvers()
  }

  [Symbol.dispose](): void {
    this.#feed.close()
  }
}
