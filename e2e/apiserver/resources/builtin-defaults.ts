/** What the API server fills into built-in objects. */
import { isFields, without, type Fields, type KubeObject } from '../object.ts'

/** `stringData` is write-only; the data is base64. */
export function prepareSecret(secret: KubeObject): KubeObject {
  const given = isFields(secret['stringData']) ? secret['stringData'] : {}
  const encoded = Object.entries(given).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')])
  const data = { ...(isFields(secret['data']) ? secret['data'] : {}), ...(Object.fromEntries(encoded) as Fields) }
  const rest = without(secret, 'stringData', 'data')
  return { ...rest, ...(Object.keys(data).length > 0 ? { data } : {}), type: secret['type'] ?? 'Opaque' }
}

export function prepareNamespace(namespace: KubeObject): KubeObject {
  const { name, labels } = namespace.metadata
  return {
    ...namespace,
    metadata: { ...namespace.metadata, labels: { ...labels, 'kubernetes.io/metadata.name': name } },
    spec: namespace['spec'] ?? { finalizers: ['kubernetes'] },
    status: namespace['status'] ?? { phase: 'Active' },
  }
}

export function prepareWebhooks(configuration: KubeObject): KubeObject {
  const webhooks = Array.isArray(configuration['webhooks']) ? (configuration['webhooks'] as Fields[]) : undefined
  if (!webhooks) return configuration
  return { ...configuration, webhooks: webhooks.map(webhook) }
}

function webhook(given: Fields): Fields {
  const config = isFields(given['clientConfig']) ? given['clientConfig'] : {}
  const service = isFields(config['service']) ? { service: { port: 443, ...config['service'] } } : {}
  const rules = Array.isArray(given['rules']) ? (given['rules'] as Fields[]) : []
  return {
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: 10,
    ...given,
    clientConfig: { ...config, ...service },
    rules: rules.map((rule) => ({ scope: '*', ...rule })),
  }
}
