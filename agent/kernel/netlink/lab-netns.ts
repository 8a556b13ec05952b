/** A network namespace of its own for each lab test. */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { addLink, changeLink, getLink } from './link.ts'
import type { Link, LinkSpec } from './link.ts'
import { createNetns, deleteNetns, netnsId } from './netns.ts'
import { Netlink } from './netlink.ts'

export interface Lab {
  readonly path: string
  readonly netlink: Netlink
  /** Makes a link and gives it as the kernel describes it. */
  link(spec: LinkSpec): Link
  /** The link's present state; the test fails when it is gone. */
  read(link: Link): Link
}

/** Made with `lo` up; gone when the test ends. */
export function labNetns(t: ExecutionContext): Lab {
  const path = `/run/netns/nl-${randomBytes(4).toString('hex')}`
  createNetns(path)
  const netlink = Netlink.open({ netns: path })
  t.teardown(() => {
    netlink.close()
    deleteNetns(path)
  })
  changeLink(netlink, 1, { up: true })
  return {
    path,
    netlink,
    link: (spec) => addLink(netlink, spec),
    read: (link) => {
      const found = getLink(netlink, link.index)
      if (found === undefined) throw new Error(`${link.name} is gone`)
      return found
    },
  }
}

/** What `here` calls the namespace of `there`. */
export function idOf(here: Lab, there: Lab): number | undefined {
  const fd = openSync(there.path, 'r')
  try {
    return netnsId(here.netlink, fd)
  } finally {
    closeSync(fd)
  }
}
