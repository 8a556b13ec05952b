/** Many numbers as the few ranges that the kernel takes. Pure. */
import type { TunnelRange, VlanRange } from './netlink/bridge-vlan.ts'
import type { VniRange } from './netlink/vni-filter.ts'

export function vlanRanges(vlans: readonly { readonly vid: number }[]): VlanRange[] {
  return runs(vlans, ({ vid }) => vid).map(([{ vid }, last]) => ({ vid, last: last.vid }))
}

/** VLANs that follow each other and whose VNIs do too. */
export function tunnelRanges(vlans: readonly { readonly vid: number; readonly vni: number }[]): TunnelRange[] {
  const isNext = (a: { vni: number }, b: { vni: number }): boolean => b.vni === a.vni + 1
  return runs(vlans, ({ vid }) => vid, isNext).map(([{ vid, vni }, last]) => ({ vid, last: last.vid, vni }))
}

export function vniRanges(vnis: Iterable<number>): VniRange[] {
  return runs([...vnis], (vni) => vni).map(([vni, last]) => ({ vni, last }))
}

/** First and last of each run in which the number grows by one, and of which `isNext` is true besides. */
function runs<T>(
  items: readonly T[],
  number: (item: T) => number,
  isNext: (before: T, item: T) => boolean = () => true,
): (readonly [first: T, last: T])[] {
  const found: [first: T, last: T][] = []
  for (const item of items.toSorted((a, b) => number(a) - number(b))) {
    const run = found.at(-1)
    if (run !== undefined && number(item) === number(run[1]) + 1 && isNext(run[1], item)) run[1] = item
    else found.push([item, item])
  }
  return found
}
