/** What a release of FRR can do; facts from its release notes and docs (see docs/decisions.md). */
export interface Capabilities {
  /** VXLAN tunnels between IPv6 addresses. */
  readonly ipv6Vtep: boolean
  /** Graceful restart for the EVPN address family. */
  readonly evpnGracefulRestart: boolean
  /** One VXLAN device for all VNIs (kernel `external vnifilter`). */
  readonly singleVxlanDevice: boolean
}

/** `version` as FRR prints it: `10.3`, `10.6.1`, `8.4.4`, also with a suffix like `10.7-dev`. */
export function capabilities(version: string): Capabilities {
  const [major = 0, minor = 0] = version.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0)
  const atLeast = (wantMajor: number, wantMinor: number) =>
    major > wantMajor || (major === wantMajor && minor >= wantMinor)
  return { ipv6Vtep: atLeast(10, 6), evpnGracefulRestart: atLeast(10, 6), singleVxlanDevice: atLeast(9, 0) }
}
