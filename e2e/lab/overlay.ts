/**
 * A VNI in a node's router, in words that hold in both shapes of the datapath: a bridge and a VXLAN device of its own
 * (`br110`, `vx110`), or a VLAN of a bridge and a VXLAN device that many share, with an SVI when something is routed.
 */
import assert from 'node:assert/strict'
import type { LabNode } from './node.ts'

/** The link that has the VNI's VRF, MAC and addresses. In the single shape a VNI with nothing routed has none. */
export function routedLink(node: LabNode, vni: number): string {
  return node.agent.datapath === 'per-vni' ? `br${vni}` : `svi${vni}`
}

export interface Overlay {
  readonly bridge: string
  readonly vxlan: string
  /** Absent: the bridge has no VLANs, all of it is the VNI's. */
  readonly vlan?: number
}

interface Tunnels {
  readonly ifname: string
  readonly tunnels?: readonly TunnelRange[]
}

interface TunnelRange {
  readonly vlan: number
  readonly vlanEnd?: number
  readonly tunid: number
  readonly tunidEnd?: number
}

/** What carries a VNI; undefined when nothing does. */
export async function overlayOf(node: LabNode, vni: number): Promise<Overlay | undefined> {
  const links = await node.router.show('link')
  const own = links.find(({ linkinfo }) => linkinfo?.info_kind === 'vxlan' && linkinfo.info_data.id === vni)
  if (own !== undefined) return { bridge: own.master, vxlan: own.ifname }
  for (const { ifname, tunnels = [] } of (await node.router.bridge('vlan', 'tunnelshow')) as Tunnels[]) {
    const range = tunnels.find(({ tunid, tunidEnd = tunid }) => tunid <= vni && vni <= tunidEnd)
    const bridge = links.find((link) => link.ifname === ifname)?.master as string | undefined
    if (range !== undefined && bridge !== undefined)
      return { bridge, vxlan: ifname, vlan: range.vlan + vni - range.tunid }
  }
  return undefined
}

/** The MACs that the kernel sends over the fabric in a VNI, each with its VTEP. */
export async function remoteMacs(
  node: LabNode,
  vni: number,
): Promise<{ readonly mac: string; readonly dst: string }[]> {
  const overlay = await overlayOf(node, vni)
  if (overlay === undefined) return []
  const entries = await node.router.bridge('fdb', 'show', 'dev', overlay.vxlan)
  return entries.filter(({ dst, src_vni: of = vni }) => dst !== undefined && of === vni)
}

/** That nothing of these VNIs is left: no link in router or host, no VLAN, no tunnel, no entry of a VNI filter. */
export async function hasNothingOf(node: LabNode, vnis: readonly number[]): Promise<void> {
  const names = vnis.flatMap((vni) => ['br', 'vx', 'svi', 'pe-', 'host-'].map((prefix) => `${prefix}${vni}`))
  for (const namespace of [node, node.router]) {
    const links = (await namespace.show('link')).map(({ ifname }) => ifname as string)
    assert.deepEqual(
      links.filter((name) => names.includes(name)),
      [],
      `nothing of VNIs ${vnis.join(', ')} is left in ${namespace.name}`,
    )
  }
  for (const vni of vnis) assert.equal(await overlayOf(node, vni), undefined, `nothing carries VNI ${vni}`)
  const filters = (await node.router.bridge('vni', 'show')) as { vnis?: { vni: number; vniEnd?: number }[] }[]
  const served = filters.flatMap((filter) => filter.vnis ?? [])
  for (const vni of vnis) {
    const found = served.find((range) => range.vni <= vni && vni <= (range.vniEnd ?? range.vni))
    assert.equal(found, undefined, `no VNI filter has ${vni}`)
  }
}

/** Takes away what carries a VNI, as somebody might by hand. In the single shape other VNIs lose theirs with it. */
export async function deleteVxlanDevice(node: LabNode, vni: number): Promise<void> {
  const overlay = await overlayOf(node, vni)
  assert.ok(overlay !== undefined, `something carries VNI ${vni}`)
  await node.router.ip(`link del ${overlay.vxlan}`)
}

/** Takes one VNI out of what carries it; there is nothing like it where the device is its own. */
export async function takeOut(node: LabNode, vni: number): Promise<void> {
  const { vxlan, vlan } = (await overlayOf(node, vni)) ?? {}
  if (vxlan === undefined || vlan === undefined) return deleteVxlanDevice(node, vni)
  await node.router.exec('bridge', 'vlan', 'del', 'dev', vxlan, 'vid', String(vlan))
  await node.router.exec('bridge', 'vni', 'del', 'dev', vxlan, 'vni', String(vni))
}
