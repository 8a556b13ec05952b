/**
 * What nodeleaf-controller asks of the Kubernetes API, and which file does it. Server-side apply is `patch`, and `create`
 * too where the object may not be there. RBAC grants exactly this; a test reads the sources for kinds that are missing here.
 */
import type { Right } from './rights.ts'

export interface ControllerCall {
  /** Below controller/. */
  readonly file: string
  readonly group: string
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  /** The controller's own, or another one; absent: cluster-wide. */
  readonly namespace?: 'own' | 'default'
  readonly name?: string
}

const declared = ['underlays', 'l3vnis', 'l2vnis', 'l3passthroughs']
const status = [...declared, 'routernodes'].map((plural) => `${plural}/status`)

/** One object in the controller's own namespace: made where there is none (which RBAC cannot bind to a name), then kept up to date. */
function kept(
  file: string,
  group: string,
  resource: string,
  name: string,
  verbs: readonly string[],
): readonly ControllerCall[] {
  const call = { file, group, resources: [resource], namespace: 'own' } as const
  return [
    { ...call, verbs: ['create'] },
    { ...call, verbs, name },
  ]
}

export const controllerCalls: readonly ControllerCall[] = [
  { file: 'fabric/kube-store.ts', group: 'nodeleaf.io', resources: declared, verbs: ['list', 'watch'] },
  {
    file: 'fabric/kube-store.ts',
    group: 'nodeleaf.io',
    resources: ['routernodes'],
    verbs: ['list', 'watch', 'create', 'patch', 'delete'],
  },
  { file: 'fabric/kube-store.ts', group: 'nodeleaf.io', resources: status, verbs: ['patch'] },
  { file: 'fabric/kube-store.ts', group: '', resources: ['nodes'], verbs: ['list', 'watch'] },
  { file: 'fabric/kube-store.ts', group: '', resources: ['secrets'], verbs: ['list', 'watch'], namespace: 'own' },
  ...kept('fabric/kube-ledger.ts', '', 'configmaps', 'nodeleaf-numbers', ['get', 'update']),
  ...kept('kube/lease.ts', 'coordination.k8s.io', 'leases', 'nodeleaf-controller', ['get', 'update']),
  {
    file: 'kube/events.ts',
    group: 'events.k8s.io',
    resources: ['events'],
    verbs: ['create', 'patch'],
    namespace: 'default',
  },
  ...kept('tls/secret-store.ts', '', 'secrets', 'nodeleaf-ca', ['get', 'update']),
  ...kept('tls/trust.ts', '', 'configmaps', 'nodeleaf-ca', ['get', 'patch']),
  {
    file: 'tls/trust.ts',
    group: 'admissionregistration.k8s.io',
    resources: ['validatingwebhookconfigurations'],
    verbs: ['get', 'update'],
    name: 'nodeleaf',
  },
  {
    file: 'kubernetes-backend.ts',
    group: 'authentication.k8s.io',
    resources: ['tokenreviews'],
    verbs: ['create'],
  },
  { file: 'kubernetes-backend.ts', group: '', resources: ['pods'], verbs: ['get'], namespace: 'own' },
]

/** As single rights, in a namespace. */
export function rightsOfCalls(calls: readonly ControllerCall[], own: string): readonly Right[] {
  return calls.flatMap(({ group, resources, verbs, namespace, name }) =>
    resources.flatMap((resource) =>
      verbs.map((verb) => ({
        group,
        resource,
        verb,
        ...(namespace === undefined ? {} : { namespace: namespace === 'own' ? own : namespace }),
        ...(name === undefined ? {} : { name }),
      })),
    ),
  )
}
