/** What Kubernetes' own metadata may say, as far as nodeleaf reads it. */
import * as z from 'zod'
import { checkedText } from '../kinds/scalars.ts'

const dns1123 = checkedText(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, 253, () => undefined, {
  message: 'is not a name for an object',
  remedy: 'use lower case letters, digits, dashes and dots, a letter or digit at both ends (RFC 1123), such as red',
})

const labelKey = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const labelValue = checkedText(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/, 63, () => undefined, {
  message: 'is not a value for a label',
  remedy: 'use up to 63 letters, digits, dashes, dots and underscores, a letter or digit at both ends',
})

const timestamp = checkedText(
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T.*$/,
  64,
  (value) =>
    Number.isNaN(Date.parse(value))
      ? { message: 'is not a time', remedy: 'write it as 2026-01-31T12:00:00Z' }
      : undefined,
  { message: 'is not a time', remedy: 'write it as 2026-01-31T12:00:00Z, or leave it out' },
)

export const labels = z.record(z.string(), labelValue).superRefine((value, context) => {
  for (const key of Object.keys(value))
    if (!labelKey.test(key))
      context.addIssue({
        code: 'custom',
        path: [key],
        message: 'is not a name for a label',
        params: { remedy: 'use letters, digits, dashes, dots and underscores, such as rack or example.com/rack' },
      })
})

/** Fields that Kubernetes writes are accepted and passed over, so that `kubectl get -o yaml` can be read back. */
const written = z.unknown().optional()

export const metadata = z.strictObject({
  name: dns1123.describe('Name of the object.'),
  labels: labels.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  creationTimestamp: timestamp.nullish(),
  namespace: z
    .unknown()
    .optional()
    .superRefine((value, context) => {
      if (value === undefined) return
      const params = { remedy: 'remove it' }
      context.addIssue({ code: 'custom', message: 'has no place: the kinds of nodeleaf.io are cluster-scoped', params })
    }),
  generateName: written,
  uid: written,
  resourceVersion: written,
  generation: written,
  selfLink: written,
  deletionTimestamp: written,
  deletionGracePeriodSeconds: written,
  finalizers: written,
  ownerReferences: written,
  managedFields: written,
})

/** A Secret stands in a namespace; nodeleaf's own kinds stand in none. */
export const namespacedMetadata = metadata.extend({ namespace: z.string().optional() })
