/** What a VRF lets in and out, and how its routes are marked in the fabric. */
import * as z from 'zod'
import { parsePrefix, bitsOf } from '../address/prefix.ts'
import { cel } from './cel.ts'
import { exportTarget, importTarget, prefix, routeDistinguisher } from './scalars.ts'

const prefixRule = z
  .strictObject({
    cidr: prefix.describe('The prefix.'),
    ge: z.int().min(0).max(128).optional().describe('Also longer prefixes inside it, from this length.'),
    le: z.int().min(0).max(128).optional().describe('Also longer prefixes inside it, up to this length.'),
    action: z.enum(['Permit', 'Deny']).default('Permit').describe('What happens to routes that match.'),
  })
  .meta(
    cel({
      rule: '!has(self.ge) || !has(self.le) || self.ge <= self.le',
      message: 'ge is larger than le',
      remedy: 'ge is the shortest prefix length that matches, le the longest',
      fieldPath: '.ge',
    }),
  )
  .superRefine((rule, context) => {
    const parsed = parsePrefix(rule.cidr)
    if (!parsed) return
    const bits = bitsOf(parsed.family)
    for (const field of ['ge', 'le'] as const) {
      const length = rule[field]
      if (length === undefined || (length >= parsed.length && length <= bits)) continue
      context.addIssue({
        code: 'custom',
        path: [field],
        message: `is no length of a prefix inside ${rule.cidr}`,
        params: { remedy: `use ${parsed.length} to ${bits}` },
      })
    }
  })

export const policy = z.strictObject({
  prefixes: z
    .array(prefixRule)
    .max(256)
    .default([])
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('First match wins. After a list that is not empty everything else is denied; an empty list permits all.'),
  maxPrefixes: z.int().min(1).max(4294967295).optional().describe('Largest number of prefixes on the session.'),
})

export type Policy = z.infer<typeof policy>

const routeTargets = z
  .strictObject({
    import: z
      .array(importTarget)
      .max(32)
      .default([])
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('Imported; on an L3VNI `*:NN` matches any ASN.'),
    export: z
      .array(exportTarget)
      .max(32)
      .default([])
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('Attached to what is exported.'),
  })
  .describe('Route targets. An empty list means automatic: `ASN:VNI`, matched across ASNs.')

/** Fields of both L3VNI and L2VNI. */
export const markingFields = {
  routeDistinguisher: routeDistinguisher.optional().describe('Default: automatic, a different one on every node.'),
  routeTargets: routeTargets.optional(),
}
