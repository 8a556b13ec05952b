/** The resources that are there without a CRD. */
import { metadataSchema } from '../schema/metadata.ts'
import type { Schema } from '../schema/schema.ts'
import { checkEvent, checkLease, checkSize, checkWebhooks } from './builtin-checks.ts'
import { prepareCrd, checkCrd } from './crd.ts'
import { prepareNamespace, prepareSecret, prepareWebhooks } from './builtin-defaults.ts'
import type { Resource } from './resource.ts'

const keyed = (...keys: readonly string[]): Schema => ({
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
})
const conditions: Schema = { properties: { conditions: keyed('type') } }
const map: Schema = { type: 'object', additionalProperties: {} }

/** How fields merge; what is not named merges as maps and atomic lists. */
const merging = (properties: Readonly<Record<string, Schema>>): Schema => ({
  properties: { apiVersion: {}, kind: {}, metadata: metadataSchema, ...properties },
  'x-kubernetes-preserve-unknown-fields': true,
})

const podTemplate: Schema = {
  properties: {
    metadata: metadataSchema,
    spec: { properties: { containers: keyed('name'), initContainers: keyed('name'), volumes: keyed('name') } },
  },
}

type Traits = Partial<Omit<Resource, 'group' | 'version' | 'kind' | 'plural' | 'schema' | 'custom'>> & {
  readonly fields?: Readonly<Record<string, Schema>>
}

function builtin(
  groupVersion: string,
  kind: string,
  plural: string,
  { fields = {}, ...traits }: Traits = {},
): Resource {
  const [version = '', group = ''] = groupVersion.split('/').toReversed()
  return {
    group,
    version,
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    status: false,
    schema: merging(fields),
    custom: false,
    generation: false,
    unconditionalUpdate: true,
    createOnUpdate: false,
    columns: [],
    ...traits,
  }
}

const cluster: Traits = { namespaced: false }
const workload: Traits = {
  status: true,
  generation: true,
  fields: { spec: { properties: { template: podTemplate } }, status: conditions },
}

export const builtins: readonly Resource[] = [
  builtin('v1', 'Node', 'nodes', {
    ...cluster,
    shortNames: ['no'],
    status: true,
    fields: {
      spec: { properties: { taints: keyed('key', 'effect'), podCIDRs: { 'x-kubernetes-list-type': 'set' } } },
      status: { properties: { conditions: keyed('type'), addresses: keyed('type', 'address') } },
    },
  }),
  builtin('v1', 'Namespace', 'namespaces', {
    ...cluster,
    shortNames: ['ns'],
    status: true,
    fields: { status: conditions },
    prepare: prepareNamespace,
  }),
  builtin('v1', 'Secret', 'secrets', { fields: { data: map }, prepare: prepareSecret, check: checkSize }),
  builtin('v1', 'ConfigMap', 'configmaps', {
    shortNames: ['cm'],
    fields: { data: map, binaryData: map },
    check: checkSize,
  }),
  builtin('v1', 'Pod', 'pods', {
    shortNames: ['po'],
    status: true,
    generation: true,
    fields: { spec: podTemplate.properties?.['spec'] ?? {}, status: conditions },
  }),
  builtin('v1', 'Service', 'services', {
    shortNames: ['svc'],
    status: true,
    fields: { spec: { properties: { ports: keyed('port', 'protocol') } } },
  }),
  builtin('v1', 'Endpoints', 'endpoints'),
  builtin('v1', 'ServiceAccount', 'serviceaccounts', { shortNames: ['sa'] }),
  builtin('apps/v1', 'Deployment', 'deployments', workload),
  builtin('apps/v1', 'DaemonSet', 'daemonsets', workload),
  builtin('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', { status: true, generation: true }),
  builtin('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', { generation: true }),
  builtin('scheduling.k8s.io/v1', 'PriorityClass', 'priorityclasses', cluster),
  builtin('coordination.k8s.io/v1', 'Lease', 'leases', {
    unconditionalUpdate: false,
    createOnUpdate: true,
    check: checkLease,
  }),
  builtin('events.k8s.io/v1', 'Event', 'events', { shortNames: ['ev'], createOnUpdate: true, check: checkEvent }),
  builtin('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', cluster),
  builtin('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'clusterrolebindings', cluster),
  builtin('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  builtin('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
  builtin('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'validatingwebhookconfigurations', {
    ...cluster,
    generation: true,
    fields: { webhooks: keyed('name') },
    prepare: prepareWebhooks,
    check: checkWebhooks,
  }),
  builtin('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', {
    ...cluster,
    shortNames: ['crd', 'crds'],
    status: true,
    generation: true,
    fields: { spec: { properties: { versions: keyed('name') } }, status: conditions },
    prepare: prepareCrd,
    check: checkCrd,
  }),
]
