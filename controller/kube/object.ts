/** What every Kubernetes object has, and where its kind lives in the API. No kind of its own is known here. */

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string | undefined
  readonly uid?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly generation?: number | undefined
  /** RFC 3339. */
  readonly creationTimestamp?: string | undefined
  readonly deletionTimestamp?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly ownerReferences?: readonly OwnerReference[] | undefined
}

interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean | undefined
  readonly blockOwnerDeletion?: boolean | undefined
}

export interface KubeObject {
  readonly apiVersion?: string | undefined
  readonly kind?: string | undefined
  readonly metadata: ObjectMeta
}

/** A kind as the API addresses it. */
export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
}

/** All objects of a kind, or those of one namespace. */
export interface Collection {
  readonly type: ResourceType
  readonly namespace?: string | undefined
}

/** One object, or a subresource of it. */
export interface Target extends Collection {
  readonly name: string
  readonly subresource?: string | undefined
}

export function apiVersionOf({ group, version }: ResourceType): string {
  return group === '' ? version : `${group}/${version}`
}

/** `underlays.nodeleaf.io`, `secrets`: as people name a resource to kubectl and in RBAC. */
export function resourceName({ plural, group }: ResourceType): string {
  return group === '' ? plural : `${plural}.${group}`
}

/** Namespace and name; what objects of one kind are told apart by. */
export function keyOf({ metadata }: { readonly metadata: ObjectMeta }): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`
}

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris */
export function pathOf(at: Collection & Partial<Target>): string {
  const { type, namespace, name, subresource } = at
  const parts = type.group === '' ? ['api', type.version] : ['apis', type.group, type.version]
  if (namespace !== undefined) parts.push('namespaces', namespace)
  parts.push(type.plural)
  if (name !== undefined) parts.push(name)
  if (subresource !== undefined) parts.push(subresource)
  return `/${parts.map(encodeURIComponent).join('/')}`
}

/**
 * Whether resource version `a` is older than `b`; undefined when they cannot be compared. Versions of one resource are
 * decimal numbers that grow: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
 */
export function isOlder(a: string, b: string): boolean | undefined {
  if (!/^\d+$/.test(a) || !/^\d+$/.test(b)) return undefined
  return BigInt(a) < BigInt(b)
}
