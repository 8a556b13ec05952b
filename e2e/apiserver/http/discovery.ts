/** Which groups, versions and resources there are. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api */
import type { Fields } from '../object.ts'
import { apiVersionOf, type Resource } from '../resources/resource.ts'

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** Resources that only take a POST. */
export const reviews = [
  { group: 'authentication.k8s.io', version: 'v1', plural: 'tokenreviews', kind: 'TokenReview' },
] as const

/** The answer to a discovery path; undefined for any other. */
export function discovery(path: string, all: readonly Resource[]): Fields | undefined {
  const parts = path.split('/').filter((each) => each !== '')
  if (path === '/version')
    return { major: '1', minor: '34', gitVersion: 'v1.34.0-nodeleaf-e2e', platform: 'linux/amd64' }
  if (parts[0] === 'api' && parts.length === 1)
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
  if (parts[0] === 'api' && parts[1] === 'v1' && parts.length === 2) return resourceList('v1', all)
  if (parts[0] !== 'apis') return undefined
  const groups = groupsOf(all)
  if (parts.length === 1) return { kind: 'APIGroupList', apiVersion: 'v1', groups }
  const group = groups.find(({ name }) => name === parts[1])
  if (parts.length === 2) return group && { kind: 'APIGroup', apiVersion: 'v1', ...group }
  const version = `${parts[1] ?? ''}/${parts[2] ?? ''}`
  return parts.length === 3 && group?.versions.some((each) => each.groupVersion === version)
    ? resourceList(version, all)
    : undefined
}

function groupsOf(all: readonly Resource[]) {
  const names = [...new Set([...all, ...reviews].map(({ group }) => group))].filter((group) => group !== '')
  return names.map((name) => {
    const found = [...all, ...reviews].filter(({ group }) => group === name).map(({ version }) => version)
    const versions = [...new Set(found)].map((version) => ({ groupVersion: `${name}/${version}`, version }))
    return { name, versions, preferredVersion: versions[0] }
  })
}

function resourceList(groupVersion: string, all: readonly Resource[]): Fields {
  const here = all.filter((each) => apiVersionOf(each) === groupVersion)
  const review = reviews.filter(({ group, version }) => `${group}/${version}` === groupVersion)
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: [
      ...here.flatMap((each) => [
        {
          name: each.plural,
          singularName: each.singular,
          namespaced: each.namespaced,
          kind: each.kind,
          verbs,
          ...(each.shortNames.length > 0 ? { shortNames: each.shortNames } : {}),
          ...(each.categories.length > 0 ? { categories: each.categories } : {}),
        },
        ...(each.status
          ? [
              {
                name: `${each.plural}/status`,
                singularName: '',
                namespaced: each.namespaced,
                kind: each.kind,
                verbs: ['get', 'patch', 'update'],
              },
            ]
          : []),
      ]),
      ...review.map(({ plural, kind }) => ({
        name: plural,
        singularName: '',
        namespaced: false,
        kind,
        verbs: ['create'],
      })),
    ],
  }
}
