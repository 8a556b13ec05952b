/** What users of the simulated cluster declare. */
import type { KubeObject } from '../../e2e/control-plane/client.ts'

const apiVersion = 'nodeleaf.io/v1alpha1'

export const nodeName = (at: number): string => `node-${at}.example.com`

export const node = (at: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: nodeName(at), labels: { 'kubernetes.io/hostname': nodeName(at), zone: `zone-${at % 3}` } },
})

export const underlay: KubeObject = {
  apiVersion,
  kind: 'Underlay',
  metadata: { name: 'fabric' },
  spec: {
    asn: 64514,
    interfaces: [{ name: 'eth1' }, { name: 'eth2' }],
    vtep: { cidrs: ['100.127.0.0/16'] },
    neighbors: [
      { address: '172.16.0.1', type: 'External' },
      { address: '172.16.0.2', type: 'External' },
    ],
  },
}

/** VNIs 1 to `count`. Every tenth is an L3VNI with a session of both families, the others are its segments. */
export const vnis = (count: number): readonly KubeObject[] => Array.from({ length: count }, (_, at) => vni(at))

/** `mtu` makes it another one. */
export function vni(at: number, mtu?: number): KubeObject {
  const tenant = Math.floor(at / 10)
  const vrf = `t${tenant}`
  const more = mtu === undefined ? {} : { mtu }
  if (at % 10 !== 0) {
    const gatewayIPs = [`10.${at >> 8}.${at & 255}.1/24`, `fd00:${at.toString(16)}::1/64`]
    return object('L2VNI', `segment-${at}`, { vni: at + 1, vrf, gatewayIPs, ...more })
  }
  // 8,190 hosts in each; 100.64.0.0/10 has room for 512 of them, 2000::/3 for the rest.
  const ipv4 = `${100 + (tenant >> 9)}.${64 + ((tenant & 511) >> 3)}.${(tenant & 7) << 5}.0/19`
  const localCIDR = { ipv4, ipv6: `fd01:${at.toString(16)}::/64` }
  return object('L3VNI', `tenant-${tenant}`, { vni: at + 1, vrf, hostSession: { hostASN: 64515, localCIDR }, ...more })
}

/** A segment beside all that are there. */
export const segment = (vniNumber: number, nodes?: readonly string[]): KubeObject =>
  object('L2VNI', `more-${vniNumber}`, {
    vni: vniNumber,
    ...(nodes === undefined
      ? {}
      : {
          nodeSelector: { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [...nodes] }] },
        }),
  })

const object = (kind: string, name: string, spec: object): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name },
  spec,
})
