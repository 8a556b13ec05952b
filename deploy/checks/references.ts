/** Whether what an object names is there: pods behind selectors, ports, volumes, accounts, roles, ConfigMaps. */
import { containersOf, titleOf, workloads, type Manifest, type Workload } from '../manifests/manifest.ts'

/** Made by programs when they run. */
const madeLater = new Set(['ConfigMap nodeleaf-ca', 'Secret nodeleaf-controller-tls'])

/** One line for each that is missing, or there twice. */
export function dangling(objects: readonly Manifest[]): readonly string[] {
  return [
    ...twice(objects),
    ...workloads(objects).flatMap((each) => inWorkload(each, objects)),
    ...objects.flatMap((each) => others(each, objects)),
  ]
}

function twice(objects: readonly Manifest[]): readonly string[] {
  const names = objects.map((object) => `${object.metadata.namespace ?? ''}/${titleOf(object)}`)
  return names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is there twice`)
}

function inWorkload(workload: Workload, objects: readonly Manifest[]): readonly string[] {
  const { selector, template } = workload.spec
  const title = titleOf(workload)
  const volumes = new Map((template.spec.volumes ?? []).map((volume) => [volume.name, volume]))
  const problems = matches(selector.matchLabels, template.metadata.labels)
    ? []
    : [`${title} does not select its own pods`]
  const account = template.spec.serviceAccountName ?? 'default'
  if (!has(objects, 'ServiceAccount', account)) problems.push(`${title}: there is no ServiceAccount ${account}`)
  for (const { configMap, secret, name } of volumes.values()) {
    if (configMap !== undefined && !has(objects, 'ConfigMap', configMap.name))
      problems.push(`${title}: volume ${name}: there is no ConfigMap ${configMap.name}`)
    if (secret !== undefined && !has(objects, 'Secret', secret.secretName))
      problems.push(`${title}: volume ${name}: there is no Secret ${secret.secretName}`)
  }
  const mounted = new Set<string>()
  for (const container of containersOf(workload)) {
    const paths = (container.volumeMounts ?? []).map(({ mountPath }) => mountPath)
    if (new Set(paths).size < paths.length) problems.push(`${title}/${container.name} mounts two volumes in one place`)
    for (const { name } of container.volumeMounts ?? []) {
      mounted.add(name)
      if (!volumes.has(name)) problems.push(`${title}/${container.name}: there is no volume ${name}`)
    }
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
      const port = container[probe]?.httpGet?.port
      if (port !== undefined && !container.ports?.some(({ name }) => name === port))
        problems.push(`${title}/${container.name}: ${probe}: there is no port ${port}`)
    }
  }
  const unused = [...volumes.keys()].filter((name) => !mounted.has(name))
  return [...problems, ...unused.map((name) => `${title}: nobody mounts the volume ${name}`)]
}

interface Spec {
  readonly selector?: Readonly<Record<string, string>> & { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly ports?: readonly { readonly targetPort?: string }[]
  readonly endpoints?: readonly { readonly port: string }[]
  readonly podMetricsEndpoints?: readonly { readonly port: string }[]
}

function others(object: Manifest, objects: readonly Manifest[]): readonly string[] {
  const title = titleOf(object)
  const spec = (object.spec ?? {}) as Spec
  switch (object.kind) {
    case 'Service':
      return behind(title, spec.selector ?? {}, spec.ports?.map(({ targetPort }) => targetPort ?? '') ?? [], objects)
    case 'PodMonitor':
      return behind(
        title,
        spec.selector?.matchLabels ?? {},
        spec.podMetricsEndpoints?.map(({ port }) => port) ?? [],
        objects,
      )
    case 'PodDisruptionBudget':
      return behind(title, spec.selector?.matchLabels ?? {}, [], objects)
    case 'NetworkPolicy':
      return behind(title, spec.podSelector?.matchLabels ?? {}, [], objects)
    case 'ServiceMonitor':
      return monitored(title, spec, objects)
    case 'RoleBinding':
    case 'ClusterRoleBinding':
      return bound(object, objects)
    case 'ValidatingWebhookConfiguration':
      return asked(object, objects)
    default:
      return []
  }
}

function behind(
  title: string,
  selector: Readonly<Record<string, string>>,
  ports: readonly string[],
  objects: readonly Manifest[],
): readonly string[] {
  const found = workloads(objects).filter(({ spec }) => matches(selector, spec.template.metadata.labels))
  if (Object.keys(selector).length === 0 || found.length !== 1) return [`${title} selects ${found.length} workloads`]
  const names = found.flatMap(containersOf).flatMap((container) => container.ports?.map(({ name }) => name) ?? [])
  return ports.filter((port) => !names.includes(port)).map((port) => `${title}: no container has the port ${port}`)
}

function monitored(title: string, { selector, endpoints }: Spec, objects: readonly Manifest[]): readonly string[] {
  const services = objects.filter(
    (each) => each.kind === 'Service' && matches(selector?.matchLabels ?? {}, each.metadata.labels ?? {}),
  )
  const ports = services.flatMap(
    (service) => (service.spec as { readonly ports: readonly { readonly name: string }[] }).ports,
  )
  const missing = (endpoints ?? []).filter(({ port }) => !ports.some(({ name }) => name === port))
  return missing.map(({ port }) => `${title}: no Service has the port ${port}`)
}

function bound(object: Manifest, objects: readonly Manifest[]): readonly string[] {
  const role = object['roleRef'] as { readonly kind: string; readonly name: string }
  const subjects = object['subjects'] as readonly { readonly kind: string; readonly name: string }[]
  return [role, ...subjects]
    .filter(({ kind, name }) => !has(objects, kind, name))
    .map(({ kind, name }) => `${titleOf(object)}: there is no ${kind} ${name}`)
}

function asked(object: Manifest, objects: readonly Manifest[]): readonly string[] {
  const webhooks = object['webhooks'] as readonly {
    readonly name: string
    readonly clientConfig: { readonly service: { readonly name: string; readonly port: number } }
  }[]
  return webhooks.flatMap(({ name, clientConfig: { service } }) => {
    const found = objects.find((each) => each.kind === 'Service' && each.metadata.name === service.name)
    const ports = (found?.spec as { readonly ports: readonly { readonly port: number }[] } | undefined)?.ports ?? []
    return ports.some(({ port }) => port === service.port)
      ? []
      : [`${titleOf(object)}: ${name}: no Service ${service.name} with port ${service.port}`]
  })
}

function has(objects: readonly Manifest[], kind: string, name: string): boolean {
  return (
    madeLater.has(`${kind} ${name}`) || objects.some((object) => object.kind === kind && object.metadata.name === name)
  )
}

function matches(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value)
}
