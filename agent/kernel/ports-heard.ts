/**
 * What is learnt behind a port before zebra knows in which bridge it is: told again.
 *
 * The kernel tells once that it has learnt a MAC. zebra reads links on a thread of their own and hands them over, but
 * MACs at once (zebra/kernel_netlink.c): the MAC behind a port may come before the port, or before the port's new
 * bridge. zebra drops it then (zebra/rt_netlink.c, netlink_macfdb_change) and never looks again: neither the MAC nor an
 * address of it is announced, for as long as the workload stays where it is.
 */
import type { ResourceRef } from '../../api/plan/node-plan.ts'
import { deleteFdbRequest, replaceFdbRequest, type FdbEntry } from './netlink/fdb.ts'
import type { Request } from './netlink/message.ts'
import type { Operation } from './operation.ts'

/** A port of the router that entered a bridge. */
export interface EnteredPort {
  readonly name: string
  /** Number of the link: one of the same name may have been there before. */
  readonly index: number
  readonly bridge: string
  readonly for: ResourceRef
}

/** So many ports are asked for one by one, for which the kernel walks over all links each time; for more, all is read. */
export const FEW_PORTS = 128

/** The port that the operation brings into a bridge. */
export function entering({ do: what, object, was }: Operation): Omit<EnteredPort, 'index'> | undefined {
  if (object.type !== 'link' || object.kind !== 'veth' || object.namespace !== 'router') return undefined
  if (object.master === undefined || object.bridgePort === undefined) return undefined
  const before = was?.type === 'link' ? was.master : undefined
  if (what !== 'create' && !(what === 'change' && before !== object.master)) return undefined
  return { name: object.name, bridge: object.master, for: object.for }
}

/**
 * Makes the kernel tell of MACs that it has learnt behind these ports, given what it has: only a change is told. One in a
 * VLAN is static for a moment, and is never away. One without is forgotten, and learnt again with the next packet: what
 * is set without a VLAN the kernel sets in the port's VLANs too, which a bridge has that does not filter (br_fdb_add in
 * net/bridge/br_fdb.c), and zebra would let go of the MAC when that one ages (zebra_vxlan_local_mac_del).
 */
export function tellAgain(entries: readonly FdbEntry[], ports: ReadonlySet<number>): Request[] {
  const learnt = entries.filter(
    ({ link, table, state, externLearned }) =>
      ports.has(link) && table === 'master' && (state === 'dynamic' || state === 'stale') && externLearned !== true,
  )
  const table = 'master'
  const tagged = learnt.filter(({ vlan }) => vlan !== undefined)
  const plain = learnt.filter(({ vlan }) => vlan === undefined)
  return [
    ...plain.map(({ link, mac }) => deleteFdbRequest({ link, mac, table })),
    ...(['static', 'dynamic'] as const).flatMap((state) =>
      tagged.map(({ link, mac, vlan }) => replaceFdbRequest({ link, mac, vlan, table, state })),
    ),
  ]
}
