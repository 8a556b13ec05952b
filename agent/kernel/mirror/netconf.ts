/** Changes of settings that the kernel tells: forwarding and a few more (struct netconfmsg, NETCONFA_*). */
import { Attributes } from '../netlink/attributes.ts'

export const RTM_NEWNETCONF = 80
export const RTM_DELNETCONF = 81
const NETCONFA_IFINDEX = 1
const NETCONFMSG_BYTES = 4

/** Whether it is about `all` (-1) or `default` (-2) and not about one link. */
export function concernsAll(body: Buffer): boolean {
  return (Attributes.parse(body, NETCONFMSG_BYTES).i32(NETCONFA_IFINDEX) ?? 0) < 0
}
