/** Names of the links nodeleaf makes: at most 15 characters, and they tell the VNI. */
export const VTEP_LINK = 'vtep0'

export const bridgeName = (vni: number): string => `br${vni}`
export const vxlanName = (vni: number): string => `vx${vni}`

/** The two ends of a veth: `router` is its end in the router, `host` the one the host sees. */
export interface Ends {
  readonly router: string
  readonly host: string
}

export const vethNames = (vni: number): Ends => ({ router: `pe-${vni}`, host: `host-${vni}` })
export const PASSTHROUGH_ENDS: Ends = { router: 'pe-pt', host: 'host-pt' }
