/** The words that resources are made of: numbers, names and addresses, each with what is wrong when it is wrong. */
import * as z from 'zod'
import {
  addressAt,
  bitsOf,
  contains,
  formatAddress,
  formatPrefix,
  networkOf,
  parseAddress,
  parsePrefix,
  sizeOf,
  type Address,
  type Prefix,
} from '../address/prefix.ts'

/** What is wrong with a value, and what to write instead. */
export interface Fault {
  readonly message: string
  readonly remedy: string
}

const octet = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
const ipv4 = `(${octet}\\.){3}${octet}`
const ipv6 = '[0-9a-fA-F:]{2,39}'
const ipv4Prefix = `${ipv4}/(3[0-2]|[12]?[0-9])`
const ipv6Prefix = `${ipv6}/(12[0-8]|1[01][0-9]|[1-9]?[0-9])`
const exactly = (...alternatives: readonly string[]): RegExp => new RegExp(`^(${alternatives.join('|')})$`)

/** A string whose pattern the API server knows too, and whose deeper fault only nodeleaf finds. */
export function checkedText(
  pattern: RegExp,
  maxLength: number,
  faultOf: (value: string) => Fault | undefined,
  expected: Fault,
): z.ZodString {
  return z
    .string()
    .max(maxLength, { abort: true })
    .meta({ pattern: pattern.source.replaceAll('\\/', '/') })
    .superRefine((value, context) => {
      const fault = faultOf(value) ?? (pattern.test(value) ? undefined : expected)
      if (fault) context.addIssue({ code: 'custom', message: fault.message, params: { remedy: fault.remedy } })
    })
}

export const vni = z
  .int()
  .min(1)
  .max(16777215)
  .describe('VXLAN network identifier, 1 to 16777215; unique in the fabric.')
/** AS_TRANS stands for 4-byte numbers in 2-byte fields; an OPEN that claims it is refused (RFC 6793, section 9). */
const AS_TRANS = 23456

export const asn = z
  .int()
  .min(1)
  .max(4294967295)
  .superRefine((value, context) => {
    if (value !== AS_TRANS) return
    const message = 'is AS_TRANS, which no speaker may have (RFC 6793)'
    context.addIssue({ code: 'custom', message, params: { remedy: 'use a private ASN, such as 64514' } })
  })

const interfaceName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/

/** Names that are taken in the router, where VRFs are, and in the host, where bridges are. */
const takenInRouter = exactly(
  'default',
  'lo',
  'all',
  'br[0-9]+',
  'vx[0-9]+',
  'nlbr[0-9]+',
  'nlvx[0-9]+',
  'svi[0-9]+',
  'pe-[0-9]+',
  'pe-pt',
  'host-[0-9]+',
  'host-pt',
  'vtep0',
)
const takenInHost = exactly('default', 'lo', 'all', 'host-[0-9]+', 'host-pt')

const takenName =
  (taken: RegExp, remedy = 'choose another name, such as red or tenant-a') =>
  (value: string): Fault | undefined =>
    taken.test(value)
      ? {
          message: `is a name that ${/^(default|lo|all)$/.test(value) ? 'the kernel or FRR' : 'nodeleaf'} uses itself`,
          remedy,
        }
      : undefined

/** A network interface that moves from the host to the router. */
export const linkName = checkedText(interfaceName, 15, takenName(takenInRouter, 'name a NIC, such as eth1'), {
  message: 'is not a name for a Linux network interface',
  remedy: 'use 1 to 15 letters, digits, dots, dashes and underscores, such as eth1',
})

/** A VRF becomes a network interface of that name in the router. */
export const vrfName = checkedText(/^[A-Za-z][A-Za-z0-9_.-]{0,14}$/, 15, takenName(takenInRouter), {
  message: 'is not a name for a VRF',
  remedy: 'use 1 to 15 characters: a letter first, then letters, digits, dots, dashes and underscores, such as red',
})

/** A bridge in the host. */
export const bridgeName = checkedText(interfaceName, 15, takenName(takenInHost), {
  message: 'is not a name for a Linux bridge',
  remedy: 'use 1 to 15 letters, digits, dots, dashes and underscores, such as br-tenant',
})

const addressExpected: Fault = {
  message: 'is not an IPv4 or IPv6 address',
  remedy: 'write an address without a prefix length, such as 192.168.10.1 or fd00:10::1',
}

/** A unicast address that a neighbour can have. */
export const address = checkedText(
  exactly(ipv4, ipv6),
  39,
  (value) => {
    const parsed = parseAddress(value)
    if (!parsed) return value.includes('/') ? { ...addressExpected, message: 'has a prefix length' } : addressExpected
    return unicastFault(parsed)
  },
  addressExpected,
)

const prefixExample = 'such as 100.65.0.0/24 or fd00:65::/64'

/** Any prefix, host bits clear. */
export const prefix = prefixText(exactly(ipv4Prefix, ipv6Prefix), prefixExample, () => undefined)

/** A prefix of unicast addresses from which nodes get one address each: the second, the third and so on. */
export const pool = prefixText(exactly(ipv4Prefix, ipv6Prefix), prefixExample, poolFault)
export const poolIPv4 = prefixText(exactly(ipv4Prefix), 'such as 10.0.0.0/24', poolFault)

/** The network of a host session: an address for the router and at least one for a node. */
export const sessionIPv4 = prefixText(exactly(ipv4Prefix), 'such as 192.169.10.0/24', sessionFault)
export const sessionIPv6 = prefixText(exactly(ipv6Prefix), 'such as fd00:c9:10::/64', sessionFault)

/** An address of a gateway together with the length of its subnet. */
export const gateway = checkedText(exactly(ipv4Prefix, ipv6Prefix), 43, gatewayFault, {
  message: 'is not an address with a prefix length',
  remedy: 'write the address of the gateway and the length of its subnet, such as 10.110.0.1/24 or fd00:110::1/64',
})

const community = '[0-9]{1,10}:[0-9]{1,10}'
const targetExample = 'write ASN:NUMBER or IPv4:NUMBER, such as 64514:100 or 192.0.2.1:100'

/** RFC 4364 section 4.2: type 0, 1 and 2 route distinguishers. */
export const routeDistinguisher = checkedText(exactly(community, `${ipv4}:[0-9]{1,5}`), 21, communityFault, {
  message: 'is not a route distinguisher',
  remedy: targetExample,
})

/** RFC 4360 section 4: route targets. */
export const exportTarget = checkedText(exactly(community, `${ipv4}:[0-9]{1,5}`), 21, communityFault, {
  message: 'is not a route target',
  remedy: targetExample,
})

/** Import accepts `*:NN` as well: any ASN. */
export const importTarget = checkedText(
  exactly(community, `${ipv4}:[0-9]{1,5}`, '\\*:[0-9]{1,10}'),
  21,
  communityFault,
  {
    message: 'is not a route target',
    remedy: `${targetExample}, or *:100 for any ASN`,
  },
)

function prefixText(pattern: RegExp, example: string, faultOf: (value: Prefix) => Fault | undefined): z.ZodString {
  const expected: Fault = { message: 'is not a prefix of the right kind', remedy: `write a prefix ${example}` }
  return checkedText(
    pattern,
    43,
    (value) => {
      const parsed = parsePrefix(value)
      if (!parsed) return prefixSyntaxFault(value, example)
      const network = networkOf(parsed)
      if (network.value !== parsed.value)
        return { message: 'has bits set behind its prefix length', remedy: `write ${formatPrefix(network)}` }
      return faultOf(parsed)
    },
    expected,
  )
}

function prefixSyntaxFault(value: string, example: string): Fault {
  const remedy = `write a prefix ${example}`
  const [head = '', length] = value.split('/')
  const parsed = parseAddress(head)
  if (!parsed) return { message: 'is not a prefix: an address, a slash and a length are needed', remedy }
  if (length === undefined) return { message: 'has no prefix length', remedy }
  return {
    message: `has no valid prefix length: an IPv${parsed.family} prefix has 0 to ${bitsOf(parsed.family)}`,
    remedy,
  }
}

function unicastFault(value: Address): Fault | undefined {
  const named = specialUse.find((special) => inside(special.prefix, value))
  return named && { message: `is ${named.name}`, remedy: named.remedy ?? 'use a unicast address' }
}

const specialUse: readonly { prefix: string; name: string; remedy?: string }[] = [
  { prefix: '0.0.0.0/8', name: 'an unspecified address ("this network")' },
  { prefix: '127.0.0.0/8', name: 'a loopback address' },
  { prefix: '224.0.0.0/4', name: 'a multicast address' },
  { prefix: '240.0.0.0/4', name: 'a reserved address' },
  { prefix: '::/128', name: 'the unspecified address' },
  { prefix: '::1/128', name: 'the loopback address' },
  { prefix: '::ffff:0:0/96', name: 'an IPv4 address in IPv6 notation', remedy: 'write the IPv4 address' },
  { prefix: 'ff00::/8', name: 'a multicast address' },
  {
    prefix: 'fe80::/10',
    name: 'a link-local address, which means nothing without its interface',
    remedy: 'use a routed address; for a neighbour on a link, name the link with `interface` (BGP unnumbered)',
  },
]

function inside(special: string, value: Address): boolean {
  const parsed = parsePrefix(special)
  return parsed !== undefined && contains(parsed, value)
}

function poolFault(value: Prefix): Fault | undefined {
  const fault = unicastFault(value)
  if (fault) return fault
  if (sizeOf(value) > 1n) return undefined
  return {
    message: 'has no address for a node: the first address of a pool is left free, node 0 gets the second',
    remedy: `use a pool of /${bitsOf(value.family) - 8} or so`,
  }
}

function sessionFault(value: Prefix): Fault | undefined {
  const fault = unicastFault(value)
  if (fault) return fault
  if (sizeOf(value) >= 4n) return undefined
  return {
    message: 'is too small: the router and one node at least need an address',
    remedy: `use /${bitsOf(value.family) - 2} for one node, /${value.family === 4 ? 24 : 64} for many`,
  }
}

function gatewayFault(value: string): Fault | undefined {
  const parsed = parsePrefix(value)
  if (!parsed)
    return prefixSyntaxFault(value, 'with the address of the gateway, such as 10.110.0.1/24 or fd00:110::1/64')
  const fault = unicastFault(parsed)
  if (fault) return fault
  const bits = bitsOf(parsed.family)
  const first = addressAt(parsed, 1n)
  if (parsed.length === bits || !first)
    return { message: 'is a single address without a subnet', remedy: 'give the length of the subnet the hosts are in' }
  if (parsed.length === bits - 1) return undefined
  const example = {
    message: '',
    remedy: `use an address of its hosts, such as ${formatAddress(first)}/${parsed.length}`,
  }
  const network = networkOf(parsed)
  if (parsed.value === network.value) return { ...example, message: 'is the address of the network itself' }
  if (parsed.family === 4 && parsed.value === network.value + sizeOf(parsed) - 1n)
    return { ...example, message: 'is the broadcast address of its network' }
  return undefined
}

function communityFault(value: string): Fault | undefined {
  const [administrator = '', number = ''] = value.split(':')
  const wide = administrator === '*' || (/^[0-9]+$/.test(administrator) && Number(administrator) <= 65535)
  if (/^[0-9]+$/.test(administrator) && Number(administrator) > 4294967295)
    return { message: `has an ASN above 4294967295`, remedy: targetExample }
  const limit = wide ? 4294967295 : 65535
  if (Number(number) > limit)
    return {
      message: `has a number above ${limit}`,
      remedy: wide ? targetExample : 'with a 4-byte ASN or an IPv4 address only 2 bytes are left for the number',
    }
  return undefined
}
