/** Lists in pages that all show the same revision. */
import type { Fields, KubeObject } from '../object.ts'
import { problems } from '../problem.ts'
import type { Selects } from './select.ts'
import type { Store } from './store.ts'

export interface ListRequest {
  readonly resource: string
  readonly namespace: string | undefined
  readonly selects: Selects
  readonly limit: number
  readonly continue: string
  readonly resourceVersion: string
  readonly exact: boolean
}

export interface Page {
  readonly items: readonly KubeObject[]
  readonly metadata: Fields
}

interface Position {
  readonly revision: number
  readonly after: string
}

/** @throws ApiProblem 410 when the revision of the first page is compacted. */
export function page(store: Store, request: ListRequest): Page {
  const position = request.continue === '' ? undefined : decode(request.continue)
  const asked = Number(request.resourceVersion === '' ? '0' : request.resourceVersion)
  if (!Number.isSafeInteger(asked)) throw problems.badRequest(`invalid resource version: ${request.resourceVersion}`)
  const revision = position?.revision ?? (request.exact ? asked : store.revision)
  if (revision < store.compacted)
    throw problems.expired(
      position
        ? 'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.'
        : `The resourceVersion for the provided list is too old.`,
    )
  const all = store
    .list(request.resource, revision)
    .filter((each) => request.namespace === undefined || each.metadata.namespace === request.namespace)
    .filter((each) => position === undefined || id(each) > position.after)
    .filter(request.selects)
  const items = request.limit > 0 ? all.slice(0, request.limit) : all
  const last = items.at(-1)
  const rest = all.length - items.length
  return {
    items,
    metadata: {
      resourceVersion: String(revision),
      ...(rest > 0 && last ? { continue: encode({ revision, after: id(last) }), remainingItemCount: rest } : {}),
    },
  }
}

const id = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`

const encode = (position: Position): string => Buffer.from(JSON.stringify(position)).toString('base64url')

function decode(text: string): Position {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString()) as Position
  } catch {
    throw problems.badRequest('continue key is not valid')
  }
}
