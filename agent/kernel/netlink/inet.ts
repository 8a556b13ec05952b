/** Addresses as text and as the bytes netlink carries. */
import { isIPv4, isIPv6 } from 'node:net'
import { malformed } from './netlink-error.ts'

export const AF_UNSPEC = 0
export const AF_INET = 2
export const AF_BRIDGE = 7
export const AF_INET6 = 10

export type Family = typeof AF_INET | typeof AF_INET6

/** Canonical prefix text and its parts: `10.0.0.0/8`. */
export interface Prefix {
  readonly family: Family
  readonly bytes: Buffer
  readonly length: number
}

/** 4 or 16 bytes in network order. Throws TypeError when the text is no IP address (zones are none). */
export function ipBytes(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  if (!isIPv6(text) || text.includes('%')) throw new TypeError(`not an IP address: ${JSON.stringify(text)}`)
  const [head = '', tail] = text.split('::')
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const words = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
  const bytes = Buffer.alloc(16)
  words.forEach((word, index) => bytes.writeUInt16BE(word, 2 * index))
  return bytes
}

/** 16-bit groups of one side of `::`; an embedded IPv4 address counts as two. */
function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [parseInt(group, 16)]
    const bytes = ipBytes(group)
    return [bytes.readUInt16BE(0), bytes.readUInt16BE(2)]
  })
}

/** Canonical text: dotted quad, or RFC 5952 (lower case, the first longest run of zero groups as `::`). */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw malformed(`IP address of ${bytes.length} bytes`)
  const words = Array.from({ length: 8 }, (_, index) => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0))
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) {
    return `::ffff:${bytes.slice(12).join('.')}`
  }
  let start = 0
  let longest = 1
  for (let from = 0; from < 8; from++) {
    let run = 0
    while (from + run < 8 && words[from + run] === 0) run++
    if (run > longest) [start, longest] = [from, run]
  }
  const hex = words.map((word) => word.toString(16))
  if (longest === 1) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + longest).join(':')}`
}

export function familyOf(text: string): Family {
  return text.includes(':') ? AF_INET6 : AF_INET
}

export function anyAddress(family: Family): string {
  return family === AF_INET ? '0.0.0.0' : '::'
}

/** `10.1.2.3/24` -> its parts, host bits kept; without a length it is that of a host (32, 128). */
export function parsePrefix(text: string): Prefix {
  const [address = '', suffix] = text.split('/')
  const bytes = ipBytes(address)
  const length = suffix === undefined ? bytes.length * 8 : Number(suffix)
  if (suffix === '' || !Number.isInteger(length) || length < 0 || length > bytes.length * 8) {
    throw new TypeError(`not a prefix: ${JSON.stringify(text)}`)
  }
  return { family: bytes.length === 4 ? AF_INET : AF_INET6, bytes, length }
}

/** `02:6e:6c:00:00:64` -> 6 bytes. Throws TypeError for anything else. */
export function macBytes(text: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new TypeError(`not a MAC address: ${JSON.stringify(text)}`)
  return Buffer.from(text.replaceAll(':', ''), 'hex')
}

/** Lower case; any length (an InfiniBand address has 20 bytes, a tunnel's is an IP address). */
export function macText(bytes: Buffer): string {
  return Array.from(bytes, (byte) => HEX[byte]).join(':')
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
