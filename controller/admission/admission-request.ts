/** An AdmissionReview of the API server (admission.k8s.io/v1), as far as it is read, and the answer to it. */
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { group, type Kind } from '../../api/kinds/kind.ts'
import { kindNamed } from '../../api/kinds/kinds.ts'
import { checkResource } from '../../api/manifest/check.ts'
import type { Issue } from '../../api/manifest/issue.ts'
import type { Declared } from './admission-world.ts'

const object = z.looseObject({
  metadata: z.looseObject({
    name: z.string().optional(),
    generateName: z.string().optional(),
    creationTimestamp: z.string().nullish(),
    deletionTimestamp: z.string().nullish(),
  }),
  spec: z.unknown().optional(),
})

/** `null` stands for absent, as Go writes it. */
const request = z.looseObject({
  uid: z.string().min(1),
  kind: z.looseObject({ group: z.string(), version: z.string(), kind: z.string() }),
  name: z.string().optional(),
  subResource: z.string().optional(),
  operation: z.enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
  object: object.nullish(),
  oldObject: object.nullish(),
  dryRun: z.boolean().nullish(),
})

export const admissionReview = z.looseObject({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request,
})

export type AdmissionRequest = z.infer<typeof request>
type RawObject = z.infer<typeof object>

/** What there is to decide. */
export type Matter =
  /** Nothing: it changes no spec, or is of no kind that anything is known of. */
  | { readonly type: 'pass' }
  | { readonly type: 'delete'; readonly kind: Declared['kind']; readonly name: string }
  | {
      readonly type: 'write'
      readonly kind: Kind
      readonly name: string
      readonly raw: RawObject
      /** Of an update: the version before. */
      readonly old?: RawObject
    }

/**
 * Finalizers, owners, labels, a status: what does not touch the spec passes, and so does everything about an object that
 * is being deleted, so that no webhook stands in the way of garbage collection.
 */
export function matterOf({ kind: { group: of, kind: name }, ...asked }: AdmissionRequest): Matter {
  const kind = of === group ? kindNamed(name) : undefined
  if (!kind || kind.name === 'RouterNode' || (asked.subResource ?? '') !== '') return { type: 'pass' }
  const raw = asked.object ?? undefined
  const old = asked.oldObject ?? undefined
  if (asked.operation === 'DELETE')
    return { type: 'delete', kind: kind.name, name: old?.metadata.name ?? asked.name ?? '' }
  if (!raw || asked.operation === 'CONNECT' || raw.metadata.deletionTimestamp) return { type: 'pass' }
  if (asked.operation === 'UPDATE' && old && isDeepStrictEqual(raw.spec, old.spec)) return { type: 'pass' }
  const named = raw.metadata.name ?? (asked.name || `${raw.metadata.generateName ?? ''}xxxxx`)
  return { type: 'write', kind, name: named, raw, ...(asked.operation === 'UPDATE' && old ? { old } : {}) }
}

/** The spec as the rules see it. Metadata is the API server's to check; only name and age matter here. */
export function declaredOf(
  kind: Kind,
  name: string,
  raw: RawObject,
): { readonly object: Declared } | { readonly issues: readonly Issue[] } {
  const { creationTimestamp } = raw.metadata
  const metadata = { name, ...(creationTimestamp ? { creationTimestamp } : {}) }
  const checked = checkResource(kind, {
    apiVersion: `${group}/v1alpha1`,
    kind: kind.name,
    metadata,
    ...(raw.spec === undefined ? {} : { spec: raw.spec }),
  })
  return 'issues' in checked ? checked : { object: checked.object as Declared }
}

export interface Verdict {
  readonly allowed: boolean
  /** Why not. */
  readonly message?: string
  /** At most 256 characters each: the API server cuts longer ones, and all of them together at 4096. */
  readonly warnings: readonly string[]
}

export function answerTo({ uid }: AdmissionRequest, { allowed, message, warnings }: Verdict): object {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed,
      ...(warnings.length === 0 ? {} : { warnings }),
      // Not 409, on which clients would try again.
      ...(allowed ? {} : { status: { status: 'Failure', code: 422, reason: 'Invalid', message } }),
    },
  }
}
