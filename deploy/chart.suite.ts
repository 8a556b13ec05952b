/** The chart with all kinds of values, rendered by Helm. Run by hack/deploy-test. */
import { execFileSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { DATAPATH_MODES } from '../agent/datapath.ts'
import { refusals } from './checks/admission.ts'
import { agentObjection, controllerObjection } from './checks/program-flags.ts'
import { dangling } from './checks/references.ts'
import { misfits } from './checks/structure.ts'
import { rendered, stale } from './manifests/generate.ts'
import { lint, root, template } from './manifests/helm.ts'
import { containersOf, workloads, type Container, type Manifest } from './manifests/manifest.ts'

const tls = { certManager: { enabled: true } }

/** What people set, one way or the other. */
const variants: Readonly<Record<string, object>> = {
  'default values': {},
  'certificates by cert-manager': tls,
  'an issuer of theirs': { certManager: { enabled: true, issuerRef: { kind: 'ClusterIssuer', name: 'corporate' } } },
  'no webhook': { webhook: { enabled: false } },
  'the controller in the host network': {
    controller: { hostNetwork: true, ports: { grpc: 17443, webhook: 19443, metrics: 18080 } },
  },
  'FRR started by the agent': {
    frr: { mode: 'managed' },
    agent: { image: { repository: 'example.org/nodeleaf-agent-frr' } },
  },
  "the node's own FRR": { frr: { daemonSet: { enabled: false } } },
  'a privileged agent': { agent: { privileged: true } },
  'one VXLAN device for each VNI': { agent: { datapath: 'per-vni' } },
  'agents that uninstall': { agent: { uninstall: true } },
  'metrics for Prometheus on IPv6': {
    agent: { health: { address: 'fd00::1' } },
    prometheus: {
      serviceMonitor: { enabled: true, additionalLabels: { release: 'x' } },
      prometheusRule: { enabled: true },
      dashboard: { enabled: true },
    },
  },
  'another namespace name, registry and level': {
    agent: {
      netns: 'router',
      image: { repository: 'registry.example:5000/agent', tag: '1.2.3' },
      logLevel: 'debug',
      extraArgs: ['--resync=60'],
      extraEnv: [{ name: 'A', value: 'b' }],
    },
    imagePullSecrets: [{ name: 'pull' }],
    labels: { team: 'network' },
  },
  'nothing optional': {
    crds: { enabled: false },
    networkPolicy: { enabled: false },
    controller: {
      replicas: 1,
      podDisruptionBudget: { enabled: false },
      priorityClassName: '',
      tolerations: [],
      resources: { requests: { cpu: '1m' } },
    },
    agent: { priorityClassName: '', tolerations: [] },
  },
  placement: {
    controller: {
      nodeSelector: { a: 'b' },
      affinity: { nodeAffinity: {} },
      podAnnotations: { a: 'b' },
      podLabels: { c: 'd' },
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
    },
    agent: {
      nodeSelector: { a: 'b' },
      podAnnotations: { a: 'b' },
      podLabels: { c: 'd' },
      updateStrategy: { type: 'OnDelete' },
    },
    frr: { podAnnotations: { a: 'b' }, podLabels: { c: 'd' } },
  },
}

test('a label or annotation that is given twice is there once; those of selectors stay', (t) => {
  const reserved = {
    'app.kubernetes.io/name': 'x',
    'app.kubernetes.io/version': 'x',
    'app.kubernetes.io/component': 'x',
  }
  const pod = {
    podLabels: { team: 'b', ...reserved },
    podAnnotations: { 'kubectl.kubernetes.io/default-container': 'sidecar' },
  }
  const monitor = { enabled: true, additionalLabels: { team: 'c' } }
  const objects = template({
    labels: { team: 'a', ...reserved },
    controller: pod,
    agent: { ...pod, health: { address: '' } },
    frr: pod,
    prometheus: {
      serviceMonitor: monitor,
      prometheusRule: monitor,
      dashboard: { enabled: true, labels: { team: 'd' } },
    },
  })
  t.deepEqual([...objects.flatMap(misfits), ...dangling(objects)], [])
  const team = (each: Manifest): string | undefined => each.metadata.labels?.['team']
  const monitors = objects.filter(({ kind }) => /Monitor$|Rule$/.test(kind))
  t.deepEqual(monitors.map(team), ['c', 'c', 'c'])
  for (const each of workloads(objects)) {
    const { selector, template: made } = (each as Manifest & { readonly spec: Workload }).spec
    t.like(made.metadata.labels, { ...selector.matchLabels, team: 'b' })
    t.is(made.metadata.annotations?.['kubectl.kubernetes.io/default-container'], 'sidecar')
    t.is(team(each), 'a')
  }
})

interface Workload {
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
  readonly template: { readonly metadata: Manifest['metadata'] }
}

for (const [name, values] of Object.entries(variants)) {
  test(`${name}: Helm takes it, Kubernetes would, and the programs too`, (t) => {
    t.regex(lint(values), /0 chart\(s\) failed/)
    const objects = template(values)
    t.deepEqual(objects.flatMap(misfits), [])
    t.deepEqual(dangling(objects), [])
    t.deepEqual(refusals(objects), [])
    t.is(agentObjection(container(objects, 'nodeleaf-agent', (each) => each.args !== undefined).args ?? []), undefined)
    t.is(controllerObjection(container(objects, 'nodeleaf-controller').args ?? []), undefined)
  })
}

test('the all-in-one manifest and the reference of the values are what the chart makes', (t) => {
  t.deepEqual(stale(rendered()), [], 'run hack/manifests')
})

test('a key that is not known is refused, wherever it stands', (t) => {
  for (const [values, key] of [
    [{ agnet: {} }, 'agnet'],
    [{ agent: { image: { repo: 'x' } } }, 'repo'],
    [{ frr: { daemonSet: { enable: false } } }, 'enable'],
    [{ controller: { resources: { limit: {} } } }, 'limit'],
  ] as const)
    t.throws(() => template(values), { message: new RegExp(`'${key}' not allowed`) })
})

test('a value that cannot be used is refused', (t) => {
  for (const values of [
    { frr: { mode: 'none' } },
    { controller: { replicas: 0 } },
    { controller: { indexRest: '1 hour' } },
    { controller: { indexRest: '1d' } },
    { agent: { netns: '../x' } },
    { agent: { datapath: 'both' } },
    { logLevel: 'trace' },
  ])
    t.throws(() => template(values), { message: /values don't meet the specifications/ }, JSON.stringify(values))
})

test('the datapath of the values is what the agent is started with', (t) => {
  const given = (values: object): string | undefined =>
    container(template(values), 'nodeleaf-agent', (each) => each.args !== undefined).args?.find((arg) =>
      arg.startsWith('--datapath='),
    )
  t.is(given({}), '--datapath=auto')
  for (const datapath of DATAPATH_MODES) t.is(given({ agent: { datapath } }), `--datapath=${datapath}`)
})

test("FRR is the agent's only where it is asked to be, and an upgrade of the chart never restarts it", (t) => {
  const names = (values: object): string[] =>
    workloads(template(values))
      .map(({ metadata }) => metadata.name)
      .sort()
  t.deepEqual(names({}), ['nodeleaf-agent', 'nodeleaf-controller', 'nodeleaf-frr'])
  t.deepEqual(names({ frr: { mode: 'managed' } }), ['nodeleaf-agent', 'nodeleaf-controller'])
  t.deepEqual(names({ frr: { daemonSet: { enabled: false } } }), ['nodeleaf-agent', 'nodeleaf-controller'])
  const frr = template({}).find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.name === 'nodeleaf-frr')
  t.like(frr, { spec: { updateStrategy: { type: 'OnDelete' } } })
  t.false(
    JSON.stringify((frr as { readonly spec: { readonly template: object } }).spec.template).includes('helm.sh/chart'),
  )
})

test('agents run without privileges, but for the moment in which the namespace is made', (t) => {
  const privileged = (values: object): string[] =>
    workloads(template(values))
      .flatMap(containersOf)
      .filter(({ securityContext }) => securityContext?.privileged)
      .map(({ name }) => name)
  t.deepEqual(privileged({}), ['namespace'])
  t.deepEqual(privileged({ agent: { privileged: true } }), ['agent'])
})

test('CRDs stay when the chart goes, unless told otherwise', (t) => {
  const crds = (values: object): readonly Manifest[] =>
    template(values).filter(({ kind }) => kind === 'CustomResourceDefinition')
  t.deepEqual([...new Set(crds({}).map(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy']))], ['keep'])
  t.deepEqual([...new Set(crds({ crds: { keep: false } }).map(({ metadata }) => metadata.annotations))], [undefined])
  t.deepEqual(crds({ crds: { enabled: false } }), [])
})

test('shell scripts are such that every POSIX shell reads them', (t) => {
  const scripts = [
    'deploy/helm/nodeleaf/files/frr-in-netns',
    ...globSync('deploy/docker/agent/{entrypoint,make-netns}', { cwd: root }),
  ]
  for (const script of scripts) t.notThrows(() => execFileSync('sh', ['-n', join(root, script)], { stdio: 'pipe' }))
})

tested('promtool', 'the alerts are rules that Prometheus reads', () =>
  execFileSync('promtool', ['check', 'rules', join(root, 'deploy/helm/nodeleaf/files/alerts.yaml')], { stdio: 'pipe' }),
)

tested('systemd-analyze', 'systemd reads the units', () => {
  const units = globSync('deploy/systemd/nodeleaf-{agent,controller}.service', { cwd: root })
  execFileSync('systemd-analyze', ['verify', '--man=no', ...units.map((unit) => join(root, unit))], { stdio: 'pipe' })
})

tested('kubeconform', 'the manifest is right by the JSON schemas of Kubernetes', () =>
  execFileSync('kubeconform', ['-strict', '-ignore-missing-schemas', join(root, 'deploy/nodeleaf.yaml')], {
    stdio: 'pipe',
  }),
)

/** A check by a tool that is not everywhere: hack/deploy-test says which are there. */
function tested(tool: string, title: string, check: () => unknown): void {
  if (installed(tool)) test(title, (t) => void t.notThrows(check))
}

function installed(tool: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

/** The first container of a workload, or the first that `fits`. */
function container(
  objects: readonly Manifest[],
  name: string,
  fits: (container: Container) => boolean = () => true,
): Container {
  const found = workloads(objects)
    .filter(({ metadata }) => metadata.name === name)
    .flatMap(containersOf)
    .find(fits)
  if (found === undefined) throw new Error(`there is no such container in ${name}`)
  return found
}
