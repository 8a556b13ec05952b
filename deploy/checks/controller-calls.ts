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
  { file: 'fabric/kube-ledger.ts', group: '', resources: ['configmaps'], verbs: ['create'], namespace: 'own' },
  {
    file: 'fabric/kube-ledger.ts',
    group: '',
    resources: ['configmaps'],
    verbs: ['get', 'update'],
    namespace: 'own',
    name: 'nodeleaf-numbers',
  },
  { file: 'kube/lease.ts', group: 'coordination.k8s.io', resources: ['leases'], verbs: ['create'], namespace: 'own' },
  {
    file: 'kube/lease.ts',
    group: 'coordination.k8s.io',
    resources: ['leases'],
    verbs: ['get', 'update'],
    namespace: 'own',
    name: 'nodeleaf-controller',
  },
  {
    file: 'kube/events.ts',
    group: 'events.k8s.io',
    resources: ['events'],
    verbs: ['create', 'patch'],
    namespace: 'default',
  },
  { file: 'tls/secret-store.ts', group: '', resources: ['secrets'], verbs: ['create'], namespace: 'own' },
  {
    file: 'tls/secret-store.ts',
    group: '',
    resources: ['secrets'],
    verbs: ['get', 'update'],
    namespace: 'own',
    name: 'nodeleaf-ca',
  },
  { file: 'tls/trust.ts', group: '', resources: ['configmaps'], verbs: ['create'], namespace: 'own' },
  {
    file: 'tls/trust.ts',
    group: '',
    resources: ['configmaps'],
    verbs: ['get', 'patch'],
    namespace: 'own',
    name: 'nodeleaf-ca',
  },
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
