/** All VNIs of a plan in one of the two shapes. Pure. */
import type { RouterPlan } from '../../../api/plan/node-plan.ts'
import type { Datapath, KernelObject, Place } from '../objects.ts'
import type { Overlay, OverlayNeeds } from './overlay.ts'
import { perVni } from './per-vni.ts'
import { place } from './place.ts'
import { shard, shardClassOf, single } from './single.ts'

export interface Layout {
  /** What VNIs share. */
  readonly shared: readonly KernelObject[]
  readonly overlay: (needs: OverlayNeeds) => Overlay
  /** Of a VNI in the single shape. */
  readonly place: (vni: number) => Place | undefined
}

/** `all` has the needs of every VNI of the plan. */
export function layOut(datapath: Datapath, router: RouterPlan, all: readonly OverlayNeeds[]): Layout {
  if (datapath.shape === 'per-vni') return { shared: [], overlay: perVni, place: () => undefined }
  const vnis = all.map((needs) => ({ vni: needs.vni, class: shardClassOf(needs) }))
  const places = place(vnis, datapath.places)
  const mtus = new Map<number, number>()
  for (const { vni, mtu } of all) {
    const at = places.get(vni)
    if (at !== undefined) mtus.set(at.shard, Math.max(mtu, mtus.get(at.shard) ?? 0))
  }
  const local = all[0]?.local ?? ''
  const shards = [...mtus].toSorted(([a], [b]) => a - b)
  return {
    shared: shards.flatMap(([number, mtu]) => shard(number, mtu, router, local)),
    place: (vni) => places.get(vni),
    overlay: (needs) => {
      const at = places.get(needs.vni)
      if (at === undefined) throw new Error(`VNI ${needs.vni} has no place`)
      return single(needs, at, router.routerMAC)
    },
  }
}
