/** RBAC as a set of single calls, each of which is granted or not. https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
import type { Manifest } from '../manifests/manifest.ts'

/** One thing that may be done: the coordinates by which Kubernetes authorizes a request. */
export interface Right {
  readonly group: string
  /** Plural, with the subresource: `underlays/status`. */
  readonly resource: string
  readonly verb: string
  /** Absent: in all namespaces, or of the cluster. */
  readonly namespace?: string
  /** Absent: whatever the object's name. */
  readonly name?: string
}

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}

interface Binding extends Manifest {
  readonly roleRef: { readonly kind: string; readonly name: string }
  readonly subjects: readonly { readonly kind: string; readonly name: string; readonly namespace: string }[]
}

/** Everything the account may do, a line each: `patch nodeleaf.io/underlays/status`, `get /secrets nodeleaf-ca in NAMESPACE`. */
export function granted(objects: readonly Manifest[], account: string): readonly string[] {
  const bindings = objects.filter(
    (object): object is Binding =>
      /^(Cluster)?RoleBinding$/.test(object.kind) &&
      (object as Binding).subjects.some(({ kind, name }) => kind === 'ServiceAccount' && name === account),
  )
  return lines(bindings.flatMap((binding) => rightsOf(binding, objects)))
}

/** As `granted` writes them: sorted, each once. */
export function lines(rights: readonly Right[]): readonly string[] {
  const texts = rights.map(({ verb, group, resource, name, namespace }) =>
    [`${verb} ${group}/${resource}`, name, namespace === undefined ? undefined : `in ${namespace}`]
      .filter((part) => part !== undefined)
      .join(' '),
  )
  return [...new Set(texts)].sort()
}

/** Rules that grant more than anybody can name: `*`, or rights to get rights. */
export function tooWide(objects: readonly Manifest[]): readonly string[] {
  const forbidden = new Set(['*', 'escalate', 'bind', 'impersonate', 'deletecollection'])
  return objects
    .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')
    .flatMap((role) => {
      const words = rulesOf(role).flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs])
      return words.filter((word) => forbidden.has(word)).map((word) => `${role.metadata.name}: ${word}`)
    })
}

function rightsOf(binding: Binding, objects: readonly Manifest[]): readonly Right[] {
  const { kind, name } = binding.roleRef
  const namespace = binding.kind === 'RoleBinding' ? binding.metadata.namespace : undefined
  const role = objects.find(
    (each) =>
      each.kind === kind &&
      each.metadata.name === name &&
      (kind === 'ClusterRole' || each.metadata.namespace === namespace),
  )
  if (role === undefined) throw new Error(`${binding.kind} ${binding.metadata.name}: there is no ${kind} ${name}`)
  return rulesOf(role).flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          (resourceNames ?? [undefined]).map((each) => ({
            group,
            resource,
            verb,
            ...(namespace === undefined ? {} : { namespace }),
            ...(each === undefined ? {} : { name: each }),
          })),
        ),
      ),
    ),
  )
}

function rulesOf(role: Manifest): readonly Rule[] {
  return role['rules'] as readonly Rule[]
}
