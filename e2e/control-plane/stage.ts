/**
 * A control plane for the tests of one file: an API server, and in it what the chart installs, so that the controller has
 * the rights that it has in a cluster and no others. Each test gets it empty; `t.teardown` takes away what it started.
 */
import type { ExecutionContext } from 'ava'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from './client.ts'
import { addNode, eventually, startCluster, tokenFor, type Cluster } from './cluster.ts'
import { CrewAgent, type AgentOptions } from './crew.ts'
import { namespace, pathOf, root, type Declared } from './objects.ts'
import { startReplica, startReplicaProcess, type Replica, type ReplicaProcess } from './replica.ts'

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly observedGeneration?: number
  readonly lastTransitionTime: string
}

export interface Event {
  readonly regarding: { readonly kind: string; readonly name: string; readonly uid: string }
  readonly type: string
  readonly reason: string
  readonly note: string
  readonly reportingController: string
  /** Which replica. */
  readonly reportingInstance: string
  readonly eventTime: string
}

interface Options {
  /** Of the one in memory. @default true: RouterNodes go with their Nodes */
  readonly garbageCollection?: boolean
  readonly inMemory?: boolean
}

const user = `system:serviceaccount:${namespace}:nodeleaf-controller`
export const controller = { user } as const
const manifest = join(import.meta.dirname, '../../deploy/nodeleaf.yaml')
const installed = ['Namespace', 'ServiceAccount', 'Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding']

/** The objects of the chart that the controller needs in a cluster, of these kinds. */
export function fromChart(...kinds: readonly string[]): readonly KubeObject[] {
  return parseAllDocuments(readFileSync(manifest, 'utf8'))
    .map((each) => each.toJS() as KubeObject | null)
    .filter((each) => each !== null)
    .filter(({ kind }) => kinds.includes(kind))
}

export class Stage implements AsyncDisposable {
  readonly cluster: Cluster
  /** Of the ServiceAccount nodeleaf-controller. */
  readonly kubeconfig: string
  readonly #folder: string
  readonly #agentTokens = new Map<string, string>()

  private constructor(cluster: Cluster, folder: string) {
    this.cluster = cluster
    this.#folder = folder
    this.kubeconfig = join(folder, 'kubeconfig')
  }

  static async open(options: Options = {}): Promise<Stage> {
    const cluster = await startCluster({ garbageCollection: true, ...options })
    const stage = new Stage(cluster, mkdtempSync(join(tmpdir(), 'nodeleaf-stage-')))
    try {
      await cluster.client.apply(fromChart(...installed))
      writeFileSync(stage.kubeconfig, cluster.kubeconfig(await tokenFor(cluster.client, 'nodeleaf-controller')))
      await eventually('the rights are seen', async () => {
        const token = await tokenFor(cluster.client, 'nodeleaf-controller')
        return (await cluster.client.call('GET', `${root}/l2vnis`, {}, token)).status === 200
      })
      return stage
    } catch (error) {
      await stage[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Whether it has a controller that removes what was owned by what is gone: envtest's kube-apiserver has none. */
  get collectsGarbage(): boolean {
    return this.cluster.memory !== undefined
  }

  /** What a test begins with: nothing is there. */
  async scene(t: ExecutionContext): Promise<Scene> {
    t.timeout(280_000)
    await this.#clear()
    const scene = new Scene(this, t)
    t.teardown(() => scene.end())
    return scene
  }

  async tokenOf(node: string): Promise<string> {
    const known = this.#agentTokens.get(node)
    if (known !== undefined) return known
    const token = await tokenFor(this.cluster.client, 'nodeleaf-agent', { node, audiences: ['nodeleaf'] })
    this.#agentTokens.set(node, token)
    return token
  }

  async #clear(): Promise<void> {
    const { client, memory } = this.cluster
    memory?.faults.clear()
    memory?.front.thaw()
    await memory?.front.up()
    const inNamespace = (plural: string, api = '/api/v1'): string => `${api}/namespaces/${namespace}/${plural}`
    const gone = [
      ...['underlays', 'l3vnis', 'l2vnis', 'l3passthroughs', 'routernodes'].map((plural) => `${root}/${plural}`),
      '/api/v1/nodes',
      inNamespace('secrets'),
      inNamespace('configmaps'),
      inNamespace('leases', '/apis/coordination.k8s.io/v1'),
      '/apis/events.k8s.io/v1/namespaces/default/events',
      '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
    ]
    for (const path of gone) {
      const { items } = await client.ask('GET', path)
      for (const { metadata } of items as readonly KubeObject[]) await client.call('DELETE', `${path}/${metadata.name}`)
    }
    memory?.audit.clear()
  }
}

export class Scene {
  readonly stage: Stage
  readonly cluster: Cluster
  readonly replicas: Replica[] = []
  readonly agents: CrewAgent[] = []
  /** Whether a request that RBAC refuses is what the test is about. */
  mayBeForbidden = false
  readonly #t: ExecutionContext
  #ca = ''

  constructor(stage: Stage, t: ExecutionContext) {
    this.stage = stage
    this.cluster = stage.cluster
    this.#t = t
  }

  async end(): Promise<void> {
    if (!this.#t.passed) for (const { name, log } of this.replicas) this.#t.log(name, log.slice(-30).join('\n'))
    await Promise.all(this.agents.map((agent) => agent.stop()))
    await Promise.all(this.replicas.map((each) => each.stop()))
    const forbidden = this.replicas.flatMap(({ log }) => log.filter((line) => line.includes('Forbidden')))
    if (!this.mayBeForbidden && forbidden.length > 0)
      throw new Error(`the rights of the chart are too few: ${forbidden[0]}`)
  }

  async replica(name = 'one', flags: readonly string[] = []): Promise<Replica> {
    const replica = await startReplica(name, this.stage.kubeconfig, flags)
    this.replicas.push(replica)
    return replica
  }

  async replicaProcess(name: string, flags: readonly string[] = []): Promise<ReplicaProcess> {
    const replica = await startReplicaProcess(name, this.stage.kubeconfig, flags)
    this.replicas.push(replica)
    return replica
  }

  async nodes(...names: readonly string[]): Promise<void> {
    for (const name of names) await addNode(this.cluster.client, name)
  }

  /** An agent on a node, that finds who leads; its first report says that all is well, or what `report` says. */
  async agent(node: string, more: Partial<AgentOptions> = {}): Promise<CrewAgent> {
    this.#ca ||= await this.trusted()
    const controllers = this.replicas.map(({ port }) => `127.0.0.1:${port}`)
    const token = more.token ?? (await this.stage.tokenOf(node))
    const agent = new CrewAgent({ node, token, ca: this.#ca, controllers, ...more })
    this.agents.push(agent)
    return agent
  }

  /** PEM of whom agents trust. */
  trusted(): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/configmaps/nodeleaf-ca`
    return eventually('the CA is published', async () => {
      const { status, body } = await this.cluster.client.call('GET', path)
      return status === 200 ? (body.data?.['ca.crt'] as string | undefined) : undefined
    })
  }

  async apply(...objects: readonly KubeObject[]): Promise<void> {
    await this.cluster.client.apply(objects, 'fieldManager=test&force=true')
  }

  get(path: string): Promise<KubeObject> {
    return this.cluster.client.ask('GET', path)
  }

  async list(path: string): Promise<readonly KubeObject[]> {
    return (await this.get(path))['items'] as readonly KubeObject[]
  }

  async delete(path: string): Promise<void> {
    await this.cluster.client.ask('DELETE', path)
  }

  /** The condition of an object, once it holds. */
  condition(
    kind: Declared | 'RouterNode',
    name: string,
    type: string,
    holds: (condition: Condition) => boolean,
  ): Promise<Condition> {
    let last: Condition | undefined
    return eventually(`${kind}/${name} ${type}`, async () => {
      const { status, metadata } = await this.get(pathOf(kind, name))
      last = ((status?.conditions ?? []) as readonly Condition[]).find((each) => each.type === type)
      if (last === undefined) return undefined
      const current = last.observedGeneration === undefined || last.observedGeneration === metadata.generation
      return current && holds(last) ? last : undefined
    }).catch((error: unknown) => {
      throw new Error(`${kind}/${name} ${type} is ${JSON.stringify(last)}`, { cause: error })
    })
  }

  ready(kind: Declared | 'RouterNode', name: string): Promise<Condition> {
    return this.condition(kind, name, 'Ready', ({ status }) => status === 'True')
  }

  /** Those on one object, oldest first. */
  async events(kind?: string, name?: string): Promise<readonly Event[]> {
    const items = await this.list('/apis/events.k8s.io/v1/namespaces/default/events')
    return (items as unknown as readonly Event[]).filter(
      ({ regarding }) =>
        (kind === undefined || regarding.kind === kind) && (name === undefined || regarding.name === name),
    )
  }

  logged(replica: Replica, text: string): Promise<string> {
    return eventually(`${replica.name} logs "${text}"`, () => replica.log.find((line) => line.includes(text)))
  }

  /** Who leads, once that is one of them. */
  leader(): Promise<Replica> {
    return eventually('one leads', async () => {
      for (const each of this.replicas)
        if (/^nodeleaf_controller_leads 1$/m.test(await each.metrics().catch(() => ''))) return each
      return undefined
    })
  }
}
