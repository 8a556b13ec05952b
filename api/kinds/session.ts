/** What every BGP session has, towards the fabric and towards the host. */
import * as z from 'zod'
import { cel, exactlyOne, atLeastOne, type CelRule } from './cel.ts'
import { asn, checkedText, sessionIPv4, sessionIPv6 } from './scalars.ts'

const interval = z.int().min(10).max(60000)

const bfd = z
  .strictObject({
    receiveInterval: interval.default(300).describe('Milliseconds between the packets that are expected.'),
    transmitInterval: interval.default(300).describe('Milliseconds between the packets that are sent.'),
    detectMultiplier: z.int().min(2).max(255).default(3).describe('Packets missed until the session is down.'),
    passive: z.boolean().default(false).describe('Wait for the other side to begin.'),
    minimumTTL: z.int().min(1).max(254).optional().describe('Smallest TTL accepted on a multi-hop session.'),
  })
  .describe('Bidirectional forwarding detection (RFC 5880); `{}` is enough to switch it on.')

const passwordSecret = z
  .strictObject({
    name: checkedText(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 253, () => undefined, {
      message: 'is not the name of a Secret',
      remedy: 'use lower case letters, digits, dashes and dots, such as tor-password',
    }).describe('Name of the Secret.'),
    key: checkedText(/^[-._a-zA-Z0-9]+$/, 253, () => undefined, {
      message: 'is not a key of a Secret',
      remedy: 'use letters, digits, dashes, dots and underscores, such as password',
    })
      .default('password')
      .describe('Key in its data.'),
  })
  .describe('TCP MD5 password of the session (RFC 2385), from a Secret. The neighbour waits until the Secret is there.')

export const sessionFields = {
  holdTime: z
    .int()
    .min(0)
    .max(65535)
    .optional()
    .describe("Seconds without a message until the session is down; 0 for never. Default: 180, FRR's."),
  keepaliveTime: z.int().min(0).max(65535).optional().describe("Seconds between keepalives. Default: 60, FRR's."),
  connectTime: z.int().min(1).max(65535).default(5).describe('Seconds between attempts to connect.'),
  passwordSecret: passwordSecret.optional(),
  bfd: bfd.optional(),
}

export const sessionRules: readonly CelRule[] = [
  {
    rule: 'has(self.holdTime) == has(self.keepaliveTime)',
    message: 'holdTime and keepaliveTime go together',
    remedy: 'set both, such as holdTime: 90 and keepaliveTime: 30, or none',
    fieldPath: '.holdTime',
  },
  {
    rule: '!has(self.holdTime) || self.holdTime == 0 || self.holdTime >= 3',
    message: 'holdTime 1 and 2 do not exist (RFC 4271 section 4.2)',
    remedy: 'use 0 (never) or at least 3 seconds',
    fieldPath: '.holdTime',
  },
  {
    rule: '!has(self.holdTime) || !has(self.keepaliveTime) || self.keepaliveTime <= self.holdTime',
    message: 'keepaliveTime is longer than holdTime',
    remedy: 'use a third of holdTime',
    fieldPath: '.keepaliveTime',
  },
  {
    rule: '!has(self.holdTime) || !has(self.keepaliveTime) || self.holdTime == 0 || self.keepaliveTime >= 1',
    message: 'keepaliveTime 0 sends no keepalives, so a session with a holdTime would end by itself',
    remedy: 'use a third of holdTime, or 0 for both',
    fieldPath: '.keepaliveTime',
  },
]

const localCIDR = z
  .strictObject({
    ipv4: sessionIPv4.optional().describe('IPv4 network of the session.'),
    ipv6: sessionIPv6.optional().describe('IPv6 network of the session.'),
  })
  .meta(cel(atLeastOne(['ipv4', 'ipv6'], 'set ipv4, ipv6, or both, such as ipv4: 192.169.10.0/24')))
  .describe(
    'Networks of the veth, one a family. The router has the first address on every node; node N (from 0) has address 2 + N.',
  )

export const hostSession = z
  .strictObject({
    asn: asn.optional().describe("ASN of the router's side. Default: the Underlay's."),
    hostASN: asn.optional().describe("ASN of the host's speaker."),
    hostType: z
      .enum(['Internal', 'External'])
      .optional()
      .describe('Internal: the host has the ASN of the router. External: any other.'),
    localCIDR,
    ...sessionFields,
    allowDefault: z.boolean().default(false).describe('Accept a default route from the host.'),
  })
  .meta(
    cel(
      exactlyOne(['hostASN', 'hostType'], 'set hostASN to a number, or hostType to Internal or External'),
      ...sessionRules,
    ),
  )
  .describe('A veth between the router and the host, with a BGP session on it.')

export type HostSession = z.infer<typeof hostSession>
