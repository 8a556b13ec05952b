/** Everything that plans are made of, at one moment. Plain readonly data, each object checked before. */
import type { AnyResource } from '../kinds/kinds.ts'

/** A v1 Secret, decoded. Its values are printed nowhere. */
export interface Secret {
  readonly kind: 'Secret'
  readonly metadata: { readonly name: string }
  readonly data: Readonly<Record<string, string>>
}

export interface Snapshot {
  /** Oldest first. */
  readonly resources: readonly AnyResource[]
  readonly secrets: Readonly<Record<string, Secret>>
}

/** Makes a snapshot of checked objects, whatever their order. */
export function snapshotOf(objects: readonly (AnyResource | Secret)[]): Snapshot {
  const secrets = objects.filter((each) => each.kind === 'Secret')
  return {
    resources: objects.filter((each) => each.kind !== 'Secret').sort(byAge),
    secrets: Object.fromEntries(secrets.map((each) => [each.metadata.name, each])),
  }
}

/** The order in which conflicts are decided: by creation, then by name. What has no time of creation is the oldest. */
function byAge(a: AnyResource, b: AnyResource): number {
  return compare(ageOf(a), ageOf(b)) || compare(a.metadata.name, b.metadata.name) || compare(a.kind, b.kind)
}

function ageOf(resource: AnyResource): number {
  return Date.parse(resource.metadata.creationTimestamp ?? '') || 0
}

/** By code unit, so that the order is the same on every machine. */
export function compare<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}
