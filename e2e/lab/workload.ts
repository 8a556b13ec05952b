/** What is plugged into a segment: a namespace with one NIC, as a VM or a Multus pod is, on the node's host bridge. */
import type { Lab } from './lab.ts'
import type { Namespace } from './namespace.ts'
import type { LabNode } from './node.ts'

export interface WorkloadOptions {
  readonly name: string
  /** The host's bridge: `br-hs-110`. */
  readonly bridge: string
  /** With prefix length. */
  readonly addresses: readonly string[]
  /** Default routes lead here. */
  readonly gateways?: readonly string[]
  /** @default 02:00:00 and a number from the first address */
  readonly mac?: string
  /** @default 1450 */
  readonly mtu?: number
}

export interface Workload extends Namespace {
  readonly mac: string
}

/** Makes the namespace and plugs it in. The lab removes it after the scenario. */
export async function addWorkload(lab: Lab, node: LabNode, options: WorkloadOptions): Promise<Workload> {
  const { name, bridge, addresses, gateways = [], mtu = 1450 } = options
  const mac = options.mac ?? macOf(addresses[0] ?? '')
  const namespace = await lab.addNamespace(name)
  await node.ip(
    `link add ${name} mtu ${mtu} type veth peer name eth0 mtu ${mtu} address ${mac} netns ${name}`,
    `link set ${name} master ${bridge} up`,
  )
  await namespace.shell('echo 0 > /proc/sys/net/ipv6/conf/all/accept_ra')
  await namespace.ip(
    ...addresses.map((address) => `addr add ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`),
    'link set eth0 up',
    ...gateways.map((gateway) => `route add default via ${gateway}`),
  )
  return Object.assign(namespace, { mac })
}

/** 10.110.0.11 -> 02:00:0a:6e:00:0b */
function macOf(address: string): string {
  const bytes = (address.split('/')[0] ?? '').split('.').map(Number)
  return ['02', '00', ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':')
}
