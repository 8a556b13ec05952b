/**
 * Which object of the files came first. The API server dates objects, files do not: without an order of arrival, a new
 * object that contradicts one in use would win by its name.
 *
 * Those that are there at the first reading arrive together; each later one after all before it. The order is kept on
 * disk with the last good plan.
 */
import type { AnyResource } from '../api/kinds/kinds.ts'
import type { Secret } from '../api/snapshot/snapshot.ts'

/** `Kind/name` to a rank; a lower one came earlier. */
export type Arrivals = Readonly<Record<string, number>>

type Dated = AnyResource | Secret

const keyOf = ({ kind, metadata }: Dated): string => `${kind}/${metadata.name}`

/** The order of arrival once `objects` are there; what is gone loses its place. */
export function arrivals(before: Arrivals, objects: readonly Dated[]): Arrivals {
  const next = 1 + Math.max(0, ...Object.values(before))
  return Object.fromEntries(objects.map((object) => [keyOf(object), before[keyOf(object)] ?? next]))
}

/** The objects with their rank as time of creation, older than any real one; what has a time of its own keeps it. */
export function inOrderOfArrival<T extends Dated>(objects: readonly T[], order: Arrivals): T[] {
  return objects.map((object) => {
    const rank = order[keyOf(object)]
    if (object.kind === 'Secret' || object.metadata.creationTimestamp !== undefined || rank === undefined) return object
    return { ...object, metadata: { ...object.metadata, creationTimestamp: new Date(rank).toISOString() } }
  })
}
