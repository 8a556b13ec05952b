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

type Where = Pick<ControllerCall, 'namespace' | 'name'>

const call = (
  file: string,
  group: string,
  resources: readonly string[],
  verbs: readonly string[],
  where: Where = {},
) => ({
  file,
  group,
  resources,
  verbs,
  ...where,
})

/** One object in the controller's own namespace: made where there is none (which RBAC cannot bind to a name), then kept up to date. */
const kept = (file: string, group: string, resource: string, name: string, verbs: readonly string[]) => [
  call(file, group, [resource], ['create'], { namespace: 'own' }),
  call(file, group, [resource], verbs, { namespace: 'own', name }),
]

export const controllerCalls: readonly ControllerCall[] = [
  call('fabric/kube-store.ts', 'nodeleaf.io', declared, ['list', 'watch']),
  call('fabric/kube-store.ts', 'nodeleaf.io', ['routernodes'], ['list', 'watch', 'create', 'patch', 'delete']),
  call('fabric/kube-store.ts', 'nodeleaf.io', status, ['patch']),
  call('fabric/kube-store.ts', '', ['nodes'], ['list', 'watch']),
  call('fabric/kube-store.ts', '', ['secrets'], ['list', 'watch'], { namespace: 'own' }),
  ...kept('fabric/kube-ledger.ts', '', 'configmaps', 'nodeleaf-numbers', ['get', 'update']),
  ...kept('kube/lease.ts', 'coordination.k8s.io', 'leases', 'nodeleaf-controller', ['get', 'update']),
  call('kube/events.ts', 'events.k8s.io', ['events'], ['create', 'patch'], { namespace: 'default' }),
  ...kept('tls/secret-store.ts', '', 'secrets', 'nodeleaf-ca', ['get', 'update']),
  ...kept('tls/trust.ts', '', 'configmaps', 'nodeleaf-ca', ['get', 'patch']),
  call('tls/trust.ts', 'admissionregistration.k8s.io', ['validatingwebhookconfigurations'], ['get', 'update'], {
    name: 'nodeleaf',
  }),
  call('kubernetes-backend.ts', 'authentication.k8s.io', ['tokenreviews'], ['create']),
  call('kubernetes-backend.ts', '', ['pods'], ['get'], { namespace: 'own' }),
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
