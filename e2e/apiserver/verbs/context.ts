/** What a verb works with. */
import type { Tokens } from '../access/tokens.ts'
import type { User } from '../access/user.ts'
import type { Webhooks } from '../admission/webhook.ts'
import type { RequestInfo } from '../http/route.ts'
import type { Manager } from '../patch/managers.ts'
import type { Subject } from '../problem.ts'
import type { Registry } from '../resources/registry.ts'
import { apiVersionOf, type Resource } from '../resources/resource.ts'
import type { Store } from '../store/store.ts'

export interface Context {
  readonly store: Store
  readonly registry: Registry
  readonly webhooks: Webhooks
  readonly tokens: Tokens
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** A request on a resource that is served. */
export interface Call {
  readonly info: RequestInfo
  readonly resource: Resource
  readonly user: User
  readonly userAgent: string
  /** For the `Warning` headers of the answer. */
  readonly warnings: string[]
}

export const subjectOf = ({ resource, info }: Call, name = info.name): Subject => ({
  group: resource.group,
  plural: resource.plural,
  ...(name === undefined ? {} : { name }),
})

export const isDryRun = ({ info }: Call): boolean => info.query.get('dryRun') === 'All'

/** Without a `fieldManager`, the program's name as its User-Agent says it. */
export function managerOf({ info, resource, userAgent }: Call, operation: Manager['operation']): Manager {
  const name = info.query.get('fieldManager') ?? (userAgent.split('/')[0] || 'unknown')
  const subresource = info.subresource === undefined ? {} : { subresource: info.subresource }
  return { name, operation, apiVersion: apiVersionOf(resource), ...subresource }
}
