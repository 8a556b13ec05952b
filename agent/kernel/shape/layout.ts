/** All VNIs of a plan in one of the two shapes. Pure. */
import type { RouterPlan } from '../../../api/plan/node-plan.ts'
import type { Datapath, KernelObject, Place } from '../objects.ts'
import type { Overlay, OverlayNeeds } from './overlay.ts'
import { perVni } from './per-vni.ts'
import { place } from './place.ts'
import { shard, shardClassOf, single } from './single.ts'

/** Shards that are in use, by number, with the MTU that the largest of their VNIs needs. */
export type Shards = ReadonlyMap<number, number>

export interface Layout {
  readonly overlay: (needs: OverlayNeeds) => Overlay
  /** Of a VNI in the single shape. */
  readonly place: (vni: number) => Place | undefined
}

/** For these VNIs; others have the places that the datapath names. */
export function layOut(datapath: Datapath, router: RouterPlan, all: readonly OverlayNeeds[]): Layout {
  if (datapath.shape === 'per-vni') return { overlay: perVni, place: () => undefined }
  const vnis = all.map((needs) => ({ vni: needs.vni, class: shardClassOf(needs) }))
  const places = place(vnis, datapath.places)
  return {
    place: (vni) => places.get(vni),
    overlay: (needs) => {
      const at = places.get(needs.vni)
      if (at === undefined) throw new Error(`VNI ${needs.vni} has no place`)
      return single(needs, at, router.routerMAC)
    },
  }
}

export function shardsOf(
  vnis: Iterable<{ readonly needs?: OverlayNeeds | undefined; readonly place?: Place | undefined }>,
): Shards {
  const mtus = new Map<number, number>()
  for (const { needs, place: at } of vnis) {
    if (at !== undefined && needs !== undefined) mtus.set(at.shard, Math.max(needs.mtu, mtus.get(at.shard) ?? 0))
  }
  return mtus
}

/** What VNIs share. */
export function sharedObjects(shards: Shards, router: RouterPlan): readonly KernelObject[] {
  const local = router.vteps[0] ?? ''
  return [...shards].toSorted(([a], [b]) => a - b).flatMap(([number, mtu]) => shard(number, mtu, router, local))
}
