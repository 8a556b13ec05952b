/** Names of the links nodeleaf makes: at most 15 characters, and they tell the VNI. */
export const VTEP_LINK = 'vtep0'

export const bridgeName = (vni: number): string => `br${vni}`
export const vxlanName = (vni: number): string => `vx${vni}`

/** A shard of the single shape: a VLAN-aware bridge and its VXLAN device. */
export const shardBridge = (shard: number): string => `nlbr${shard}`
export const shardVxlan = (shard: number): string => `nlvx${shard}`
export const sviName = (vni: number): string => `svi${vni}`

/** The number of the shard that a link of that name belongs to. */
export function shardOf(name: string): number | undefined {
  const number = /^nl(?:br|vx)(0|[1-9]\d{0,5})$/.exec(name)?.[1]
  return number === undefined ? undefined : Number(number)
}

/** The VNI that an SVI or the router's end of a veth is named for. */
export function vniOf(name: string): number | undefined {
  const number = /^(?:svi|pe-)([1-9]\d{0,7})$/.exec(name)?.[1]
  return number === undefined ? undefined : Number(number)
}

/** The two ends of a veth: `router` is its end in the router, `host` the one the host sees. */
export interface Ends {
  readonly router: string
  readonly host: string
}

export const vethNames = (vni: number): Ends => ({ router: `pe-${vni}`, host: `host-${vni}` })
export const PASSTHROUGH_ENDS: Ends = { router: 'pe-pt', host: 'host-pt' }
