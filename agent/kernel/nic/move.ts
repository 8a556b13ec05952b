/**
 * A NIC's way into the router and back, as a journal of small steps.
 *
 * Each step looks at where the NIC is and does what is missing, so after a crash at any point the same steps are simply
 * done again from the start: the record on disk says what the NIC was like, the kernel says how far it has come. There is
 * no other recovery. The addresses it carries in the router are not part of the move: they are objects like any other.
 *
 * What the kernel cannot give back: the NIC's queueing discipline, multicast memberships and neighbour entries, and its
 * number (ifindex) when another link took it meanwhile.
 */
import { tolerate } from '../tolerate.ts'
import { replaceAddress } from '../netlink/address.ts'
import { changeLink, getLink, moveLink, type Link } from '../netlink/link.ts'
import { NetlinkError } from '../netlink/netlink-error.ts'
import { replaceRoute } from '../netlink/route.ts'
import { KernelError } from '../kernel-error.ts'
import { HOST_NETNS, type Namespaces } from '../namespaces.ts'
import { aliasOf } from '../owner.ts'
import type { LinkObject } from '../objects.ts'
import { bootId, capture } from './capture.ts'
import { crashPoint } from './crash-point.ts'
import type { NicRecord } from './record.ts'
import { NicStore } from './store.ts'

/** In order; what NODELEAF_CRASH_AT counts, from 1. */
export const NIC_MOVE_STEPS = ['record', 'down', 'move', 'label', 'up', 'settle'] as const
export const NIC_RETURN_STEPS = [
  'mark',
  'down',
  'move',
  'link',
  'sysctls',
  'addresses',
  'up',
  'routes',
  'forget',
] as const

type Steps<Names extends readonly string[]> = Readonly<Record<Names[number], () => void>>

export class NicMover {
  readonly #namespaces: Namespaces
  readonly #store: NicStore

  constructor(namespaces: Namespaces, store: NicStore) {
    this.#namespaces = namespaces
    this.#store = store
  }

  /** What is known of the NIC, or undefined when nothing is. Writes nothing. */
  look(name: string, ref: NicRecord['for']): NicRecord | undefined {
    const gone = this.#at('host', name) === undefined && this.#at('router', name) === undefined
    return gone ? this.#store.get(name) : this.#record(name, ref)
  }

  /** Returns the record it made or found. Throws KernelError NicMissing, NameTaken; NetlinkError. */
  bring(nic: LinkObject): NicRecord {
    const { name } = nic
    let record: NicRecord | undefined
    const steps: Steps<typeof NIC_MOVE_STEPS> = {
      record: () => {
        record = this.#record(name, nic.for)
        this.#store.put(record)
      },
      down: () => {
        const there = this.#at('host', name)
        if (there?.up === true) changeLink(this.#namespaces.netlink('host'), there.index, { up: false })
      },
      move: () => {
        const there = this.#at('host', name)
        if (this.#at('router', name) !== undefined || there === undefined) return
        this.#move('host', there.index, name, undefined)
      },
      label: () =>
        changeLink(this.#namespaces.netlink('router'), this.#inRouter(name).index, { alias: aliasOf(nic.for) }),
      up: () => changeLink(this.#namespaces.netlink('router'), this.#inRouter(name).index, { up: true }),
      settle: () => this.#store.put({ ...(record as NicRecord), phase: 'inside' }),
    }
    NIC_MOVE_STEPS.forEach((step, index) => {
      steps[step]()
      crashPoint('nic-move', index + 1)
    })
    return record as NicRecord
  }

  /** A NIC that is nowhere any more is forgotten. Throws KernelError NameTaken, NetlinkError. */
  giveBack(name: string): void {
    const record = this.#store.get(name)
    const host = this.#namespaces.netlink('host')
    if (this.#at('router', name) === undefined && this.#at('host', name) === undefined) {
      this.#store.forget(name)
      return
    }
    const steps: Steps<typeof NIC_RETURN_STEPS> = {
      mark: () => record === undefined || this.#store.put({ ...record, phase: 'returning' }),
      down: () => {
        const there = this.#at('router', name)
        if (there?.up === true) changeLink(this.#namespaces.netlink('router'), there.index, { up: false })
      },
      move: () => {
        const there = this.#at('router', name)
        if (there !== undefined) this.#move('router', there.index, name, record?.index)
      },
      link: () => {
        const { mtu, alias = '', group, txQueueLength, addrGenMode, master } = record ?? {}
        const into = master === undefined ? undefined : getLink(host, master)?.index
        changeLink(host, this.#inHost(name).index, { mtu, alias, group, txQueueLength, master: into })
        // Refused where IPv6 is off for the link.
        if (addrGenMode !== undefined)
          tolerate(['EINVAL', 'EAFNOSUPPORT'], () => changeLink(host, this.#inHost(name).index, { addrGenMode }))
      },
      sysctls: () => this.#restoreSysctls(record?.sysctls ?? {}),
      addresses: () => {
        const link = this.#inHost(name).index
        for (const address of record?.addresses ?? []) replaceAddress(host, { ...address, link })
      },
      up: () => changeLink(host, this.#inHost(name).index, { up: record?.up ?? true }),
      routes: () => this.#restoreRoutes(record?.routes ?? []),
      forget: () => this.#store.forget(name),
    }
    NIC_RETURN_STEPS.forEach((step, index) => {
      steps[step]()
      crashPoint('nic-return', index + 1)
    })
  }

  /**
   * The record to go by. One of an unfinished move is kept: the NIC may have lost something already. One of a NIC that
   * has come back by other ways (unplugged, its namespace deleted, a reboot) is kept as long as the host has not
   * configured the NIC anew.
   */
  #record(name: string, ref: NicRecord['for']): NicRecord {
    const known = this.#store.get(name)
    const there = this.#at('host', name)
    if (there === undefined) {
      const inside = this.#at('router', name)
      if (inside === undefined) throw nicMissing(name)
      // Lost records: what it is like now is the best that is known.
      return {
        ...(known ?? capture(this.#namespaces.netlink('router'), inside, ref)),
        phase: 'bringing',
        for: ref,
      }
    }
    const fresh = capture(this.#namespaces.netlink('host'), there, ref)
    if (known === undefined) return fresh
    const unfinished = known.phase !== 'inside' && known.bootId === bootId()
    const configuredAnew = fresh.addresses.some((address) => (address.scope ?? 0) === 0)
    if (!unfinished && configuredAnew) return fresh
    return { ...known, phase: 'bringing', for: ref, index: there.index, mac: there.mac, bootId: bootId() }
  }

  #move(from: 'host' | 'router', index: number, name: string, wanted: number | undefined): void {
    const to = from === 'host' ? this.#namespaces.routerPath : HOST_NETNS
    const netlink = this.#namespaces.netlink(from)
    try {
      try {
        moveLink(netlink, index, to, undefined, wanted)
      } catch (error) {
        // Its old number is another link's now, or this kernel (before 5.13) cannot choose one.
        if (wanted === undefined || !(error instanceof NetlinkError) || error.code === 'EEXIST') throw error
        moveLink(netlink, index, to)
      }
    } catch (cause) {
      if (!(cause instanceof NetlinkError) || cause.code !== 'EEXIST') throw cause
      const where = from === 'host' ? "router's namespace" : "host's namespace"
      const message = `the ${where} has another link ${name}: rename it, then the NIC moves`
      throw new KernelError('NameTaken', message, { cause })
    }
  }

  #restoreSysctls(wanted: Readonly<Record<string, string>>): void {
    const there = this.#namespaces.readSysctls('host', Object.keys(wanted))
    for (const [path, value] of Object.entries(wanted)) {
      const now = there.get(path)
      if (now === undefined || now === value) continue
      // Some settings only look like settings (mc_forwarding), some are bounded by the MTU.
      tolerate(['EACCES', 'EPERM', 'EINVAL', 'EIO'], () => this.#namespaces.writeSysctl('host', path, value))
    }
  }

  /** Each is tried; throws the first error. */
  #restoreRoutes(routes: NicRecord['routes']): void {
    const host = this.#namespaces.netlink('host')
    let failed: unknown
    for (const route of routes) {
      const nexthops = route.nexthops.map(({ link, ...hop }) => ({
        ...hop,
        link: link === undefined ? undefined : getLink(host, link)?.index,
      }))
      try {
        replaceRoute(host, { ...route, nexthops })
      } catch (error) {
        failed ??= error
      }
    }
    if (failed !== undefined) throw failed
  }

  #at(namespace: 'host' | 'router', name: string): Link | undefined {
    return getLink(this.#namespaces.netlink(namespace), name)
  }

  #inRouter(name: string): Link {
    return this.#at('router', name) ?? fail(nicMissing(name))
  }

  #inHost(name: string): Link {
    return this.#at('host', name) ?? fail(nicMissing(name))
  }
}

function nicMissing(name: string): KernelError {
  return new KernelError('NicMissing', `there is no NIC ${name} on this node; it is taken up when it appears`)
}

function fail(error: Error): never {
  throw error
}
