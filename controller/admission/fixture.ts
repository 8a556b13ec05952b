/** For tests: objects, worlds and requests in few words. */
import { kindNamed, type AnyResource } from '../../api/kinds/kinds.ts'
import { checkResource } from '../../api/manifest/check.ts'
import { snapshotOf, type Secret } from '../../api/snapshot/snapshot.ts'
import { admissionReview, type AdmissionRequest } from './admission-request.ts'
import type { AdmissionNode, AdmissionWorld } from './admission-world.ts'

export type Spec = Readonly<Record<string, unknown>>

export interface Raw {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string }
  readonly spec: Spec
}

/** `created`: seconds since the year 2026 began. */
export function raw(kind: string, name: string, spec: Spec, created = 0): Raw {
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1) + created * 1000).toISOString()
  return { apiVersion: 'nodeleaf.io/v1alpha1', kind, metadata: { name, creationTimestamp }, spec }
}

export function resource({ apiVersion, kind, metadata, spec }: Raw): AnyResource {
  const declared = kindNamed(kind)
  if (!declared) throw new Error(kind)
  const checked = checkResource(declared, { apiVersion, kind, metadata, spec })
  if ('issues' in checked) throw new Error(JSON.stringify(checked.issues))
  return checked.object
}

/** Nodes `n0`, `n1`, ... with label `rack`; each has its number. */
export function world(
  objects: readonly Raw[],
  racks: readonly string[] = ['a', 'a', 'b'],
  extra: { readonly secrets?: readonly Secret[]; readonly vteps?: readonly string[] } = {},
): AdmissionWorld {
  const nodes = racks.map((rack, i): AdmissionNode => ({ name: `n${i}`, labels: { rack } }))
  const routerNodes = nodes.map((node, index) => {
    const vtep = extra.vteps?.[index]
    return raw('RouterNode', node.name, { index, ...(vtep === undefined ? {} : { addresses: { vteps: [vtep] } }) })
  })
  return { snapshot: snapshotOf([...[...objects, ...routerNodes].map(resource), ...(extra.secrets ?? [])]), nodes }
}

type Operation = 'CREATE' | 'UPDATE' | 'DELETE'

export function asked(operation: Operation, now: Raw, fields: object = {}): AdmissionRequest {
  return admissionReview.parse(reviewOf(operation, now, fields)).request
}

export function reviewOf(operation: Operation, now: Raw, fields: object = {}) {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'f4e1',
      kind: { group: 'nodeleaf.io', version: 'v1alpha1', kind: now.kind },
      name: now.metadata.name,
      operation,
      object: operation === 'DELETE' ? null : now,
      oldObject: operation === 'DELETE' ? now : null,
      dryRun: false,
      ...fields,
    },
  }
}

export const on = (...racks: string[]): Spec => ({
  nodeSelector: { matchExpressions: [{ key: 'rack', operator: 'In', values: racks }] },
})

export const underlay = (name: string, spec: Spec = {}, created = 0): Raw =>
  raw(
    'Underlay',
    name,
    {
      asn: 64514,
      vtep: { cidrs: ['100.65.0.0/24'] },
      neighbors: [{ address: '192.168.10.1', type: 'External' }],
      ...spec,
    },
    created,
  )
export const l3vni = (name: string, vni: number, vrf: string, spec: Spec = {}, created = 0): Raw =>
  raw('L3VNI', name, { vni, vrf, ...spec }, created)
export const l2vni = (name: string, vni: number, spec: Spec = {}, created = 0): Raw =>
  raw('L2VNI', name, { vni, ...spec }, created)
export const passthrough = (name: string, ipv4: string, spec: Spec = {}, created = 0): Raw =>
  raw('L3Passthrough', name, { ...session(ipv4), ...spec }, created)
export const session = (ipv4: string): Spec => ({ hostSession: { hostASN: 64515, localCIDR: { ipv4 } } })
