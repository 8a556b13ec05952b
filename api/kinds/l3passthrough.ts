/** A BGP session between host and fabric without encapsulation. */
import * as z from 'zod'
import { defineKind, shortName, type Resource } from './kind.ts'
import { nodeSelector } from './selector.ts'
import { hostSession } from './session.ts'
import { age, reason, stateColumns, status } from './status.ts'

export const l3passthrough = defineKind({
  name: 'L3Passthrough',
  plural: 'l3passthroughs',
  shortNames: ['l3p'],
  description:
    'A BGP session between host and fabric in the default VRF, without encapsulation. At most one for a node.',
  spec: z.strictObject({ nodeSelector, hostSession }),
  example: {
    name: 'plain',
    spec: { hostSession: { hostASN: 64515, localCIDR: { ipv4: '192.169.30.0/24' } } },
  },
  status,
  columns: [
    { name: 'IPv4', type: 'string', path: '.spec.hostSession.localCIDR.ipv4' },
    { name: 'IPv6', type: 'string', path: '.spec.hostSession.localCIDR.ipv6' },
    ...stateColumns,
    reason,
    age,
  ],
  rules: [shortName],
})

type L3PassthroughSpec = z.infer<typeof l3passthrough.spec>
export type L3Passthrough = Resource<'L3Passthrough', L3PassthroughSpec>
