/** Host addresses of one session for thousands of nodes: the text of `hostAddresses`, made of what is the same for all. */
import { formatAddress, networkOf, parsePrefix, sizeOf, type Prefix } from '../address/prefix.ts'
import type { HostSession } from '../kinds/session.ts'
import { hostAddresses } from './host-session.ts'

export interface HostAddressWriter {
  /** Of the last node that gets an address. */
  readonly lastIndex: number
  /** With prefix length, IPv4 first; undefined when a network has none for the node. */
  addresses(index: number): readonly string[] | undefined
}

export function hostAddressWriter(session: HostSession): HostAddressWriter {
  const { ipv4, ipv6 } = session.localCIDR
  const networks = [ipv4, ipv6].flatMap((cidr) => parsePrefix(cidr ?? '') ?? []).map(networkOf)
  const last = networks.map((each) => Number(sizeOf(each)) - (each.family === 4 ? 4 : 3))
  const lastIndex = Math.min(...last)
  const texts = networks.map((each) => (each.family === 4 ? ipv4Text(each) : ipv6Text(each)))
  return {
    lastIndex,
    addresses(index) {
      if (index > lastIndex) return undefined
      const quick = texts.map((text) => text(index + 2))
      return quick.some((each) => each === undefined)
        ? hostAddresses(session, index)
        : quick.map((each, at) => `${each}/${networks[at]?.length}`)
    },
  }
}

type Text = (offset: number) => string | undefined

function ipv4Text(network: Prefix): Text {
  const base = Number(network.value)
  return (offset) => {
    const value = base + offset
    return `${Math.floor(value / 2 ** 24)}.${(value >> 16) & 255}.${(value >> 8) & 255}.${value & 255}`
  }
}

/** Only the last 16 bits differ; whether the text only grows at its end is tried at both ends. */
function ipv6Text(network: Prefix): Text {
  const text = formatAddress(network)
  const grows = [1n, 0xffffn].every((offset) => {
    const address = formatAddress({ ...network, value: network.value + offset })
    return address === text + offset.toString(16)
  })
  return (offset) => (grows && offset <= 0xffff ? text + offset.toString(16) : undefined)
}
