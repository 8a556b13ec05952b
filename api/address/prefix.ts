/**
 * Addresses and prefixes of both families as numbers, so that pools, overlaps and masks are plain arithmetic.
 *
 * ipaddr.js reads and writes the text (RFC 5952 for IPv6); nothing here guesses: what is not an exact address is undefined.
 */
import ipaddr from 'ipaddr.js'

export type Family = 4 | 6

export interface Address {
  readonly family: Family
  readonly value: bigint
}

/** An address with a prefix length; `value` keeps its host bits. */
export interface Prefix extends Address {
  readonly length: number
}

/** Bits in an address of the family. */
export const bitsOf = (family: Family): number => (family === 4 ? 32 : 128)

/** Reads `192.0.2.1` or `2001:db8::1`. IPv6 zones and embedded IPv4 (`::ffff:192.0.2.1`) are not accepted. */
export function parseAddress(text: string): Address | undefined {
  // Asked about an IPv6 address, ipaddr.js throws a TypeError inside, and V8 reads the source again for its message.
  if (text.includes('.')) {
    const decimal = ipaddr.IPv4.isValidFourPartDecimal(text)
    return decimal ? { family: 4, value: toNumber(ipaddr.IPv4.parse(text)) } : undefined
  }
  if (!/^[0-9a-fA-F:]+$/.test(text) || !ipaddr.IPv6.isValid(text)) return undefined
  return { family: 6, value: toNumber(ipaddr.IPv6.parse(text)) }
}

/** Reads `192.0.2.1/24`; the length is required and in range. */
export function parsePrefix(text: string): Prefix | undefined {
  const match = /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(text)
  const address = parseAddress(match?.[1] ?? '')
  const length = Number(match?.[2])
  return address && length <= bitsOf(address.family) ? { ...address, length } : undefined
}

/** Canonical text: dotted quad, or RFC 5952. */
export function formatAddress(address: Address): string {
  const size = bitsOf(address.family) / 8
  const bytes = Array.from({ length: size }, (_, i) => Number((address.value >> BigInt(8 * (size - 1 - i))) & 0xffn))
  return ipaddr.fromByteArray(bytes).toString()
}

/** The one text of an address that has several, such as FD00:0::1; what is no address stays as it is. */
export function canonicalAddress(text: string): string {
  const address = parseAddress(text)
  return address ? formatAddress(address) : text
}

export const formatPrefix = (prefix: Prefix): string => `${formatAddress(prefix)}/${prefix.length}`

/** The prefix with its host bits cleared. */
export function networkOf(prefix: Prefix): Prefix {
  const hostBits = BigInt(bitsOf(prefix.family) - prefix.length)
  return { ...prefix, value: (prefix.value >> hostBits) << hostBits }
}

/** How many addresses the prefix spans. */
export const sizeOf = (prefix: Prefix): bigint => 1n << BigInt(bitsOf(prefix.family) - prefix.length)

/** The address at `offset` from the start of the prefix, undefined beyond its end. */
export function addressAt(prefix: Prefix, offset: bigint): Address | undefined {
  if (offset < 0n || offset >= sizeOf(prefix)) return undefined
  return { family: prefix.family, value: networkOf(prefix).value + offset }
}

export function contains(prefix: Prefix, address: Address): boolean {
  return (
    prefix.family === address.family && networkOf({ ...prefix, value: address.value }).value === networkOf(prefix).value
  )
}

/** Whether the two share an address. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? contains(a, b) : contains(b, a)
}

function toNumber(address: ipaddr.IPv4 | ipaddr.IPv6): bigint {
  return address.toByteArray().reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
