/**
 * A cluster's control plane beside the fabric: an API server, controllers, and a management network to the nodes. The
 * objects are those of deploy/nodeleaf.yaml, RBAC and webhooks are in force, agents prove their nodes by tokens.
 *
 * It lives in the guest's own network namespace: 10.99.0.1 is the API server and the first controller, 10.99.0.2 the
 * second one, 10.99.0.11 and up are the nodes. `controllers` is the name that agents dial: both controllers.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import type { Order } from '../apiserver/faults/control.ts'
import { kubeconfigText } from '../apiserver/kubeconfig.ts'
import { Client, type KubeObject } from '../control-plane/client.ts'
import { addNode, tokenFor } from '../control-plane/cluster.ts'
import { eventually } from './eventually.ts'
import { connect, disconnect, setReachable } from './management-network.ts'
import type { LabNode } from './node.ts'
import { LabProcess } from './process.ts'
import { program } from './program.ts'
import type { Resource } from './resources.ts'

const REPOSITORY = join(import.meta.dirname, '..', '..')
const FOLDER = '/tmp/lab/control-plane'
const NAMESPACE = 'nodeleaf-system'
const SERVICE = `nodeleaf-controller.${NAMESPACE}.svc`
const API = '10.99.0.1:6443'
const CONTROL = '/tmp/lab/control-plane/faults.sock'

/** The kubeconfig as the API server writes it: JSON. */
interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[]
  readonly users: readonly { readonly user: { readonly token: string } }[]
}

export interface ControlPlaneOptions {
  /** Controllers. @default 1 */
  readonly replicas?: number
  /** More flags for each of them. */
  readonly flags?: readonly string[]
  /** When the API server has everything of deploy/nodeleaf.yaml, and no controller has been started yet. */
  readonly prepare?: (plane: ControlPlane) => Promise<void>
}

export class ControlPlane {
  readonly apiServer = new LabProcess('the API server', join(FOLDER, 'apiserver.log'))
  readonly controllers: readonly Controller[]
  readonly #nodes: readonly LabNode[]
  readonly #options: ControlPlaneOptions
  #client: Client | undefined
  #ca = ''

  constructor(nodes: readonly LabNode[], options: ControlPlaneOptions = {}) {
    this.#nodes = nodes
    this.#options = options
    this.controllers = Array.from({ length: options.replicas ?? 1 }, (_, at) => new Controller(at + 1))
  }

  /** API server with everything of deploy/nodeleaf.yaml, the controllers, a Node for each of the nodes. */
  async start(): Promise<void> {
    await rm(FOLDER, { recursive: true, force: true })
    mkdirSync(FOLDER, { recursive: true })
    await connect(this.#nodes, { addresses: this.controllers.map(({ address }) => address), folder: FOLDER })
    await this.startApiServer()
    await this.client.apply(await readFile(join(REPOSITORY, 'deploy', 'nodeleaf.yaml'), 'utf8'))
    await this.setEndpoints(this.controllers)
    const token = await tokenFor(this.client, 'nodeleaf-controller', { expirationSeconds: 86_400 })
    writeFileSync(Controller.kubeconfig, kubeconfigText({ server: `https://${API}`, ca: this.#ca, token }), {
      mode: 0o600,
    })
    await this.#options.prepare?.(this)
    await Promise.all(this.controllers.map((controller) => controller.start(this.#options.flags)))
    await eventually('somebody leads', () => this.leader())
    for (const node of this.#nodes) await this.addNode(node)
  }

  /** The administrator's connection to the API server. */
  get client(): Client {
    if (this.#client === undefined) throw new Error('the API server has not been started')
    return this.#client
  }

  /** Starts the API server, with what it knew before. */
  async startApiServer(): Promise<void> {
    const kubeconfig = join(FOLDER, 'admin.kubeconfig')
    const flags = { listen: API, 'kubeconfig-out': kubeconfig, state: join(FOLDER, 'etcd'), control: CONTROL }
    const words = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
    const source = join(REPOSITORY, 'e2e', 'apiserver', 'main.ts')
    const said = (await this.apiServer.log()).length
    this.apiServer.start([process.execPath, source, '--rbac', ...words])
    await this.apiServer.until('answers', async () => (await this.apiServer.log()).slice(said).includes('listening'))
    const { clusters, users } = JSON.parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig
    this.#ca = Buffer.from(clusters[0]?.cluster['certificate-authority-data'] ?? '', 'base64').toString()
    this.#client?.[Symbol.dispose]()
    this.#client = new Client({ url: `https://${API}`, ca: this.#ca, token: users[0]?.user.token ?? '' })
  }

  /** The controller that holds the Lease. */
  async leader(): Promise<Controller | undefined> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/nodeleaf-controller`
    const { status, body } = await this.client.call('GET', path)
    const holder = status === 200 ? String(body.spec?.holderIdentity ?? '') : ''
    // After its name each replica has something random.
    return this.controllers.find(({ name, process }) => holder.startsWith(`${name}_`) && process.running)
  }

  /** A Node, with a token and the CA for its agent. */
  async addNode(node: LabNode, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await addNode(this.client, node.name, labels)
    mkdirSync(agentFolder(node.name), { recursive: true })
    const ca = await eventually('the CA is published', async () => {
      const path = `/api/v1/namespaces/${NAMESPACE}/configmaps/nodeleaf-ca`
      const { status, body } = await this.client.call('GET', path)
      return status === 200 ? (body.data?.['ca.crt'] as string | undefined) : undefined
    })
    writeFileSync(this.caFile(node), ca)
    await this.giveToken(node.name)
  }

  /** A fresh token of a node's own for its agent; `options` make it another one. */
  async giveToken(node: string, options: Parameters<typeof tokenFor>[2] = {}): Promise<void> {
    const token = await tokenFor(this.client, 'nodeleaf-agent', { node, audiences: ['nodeleaf'], ...options })
    writeFileSync(this.tokenFile({ name: node }), token, { mode: 0o600 })
  }

  /** What the agent of a node proves its node with. */
  tokenFile({ name }: Pick<LabNode, 'name'>): string {
    return join(agentFolder(name), 'token')
  }

  /** What the agent of a node knows the controllers by; in a cluster, kubelet keeps it as the ConfigMap is. */
  caFile({ name }: Pick<LabNode, 'name'>): string {
    return join(agentFolder(name), 'ca.crt')
  }

  /** What the agent of a node is started with: `node.agent.start({ flags: plane.flagsFor(node) })`. */
  flagsFor(node: LabNode): string[] {
    const flags = {
      controller: `controllers:${Controller.agents}`,
      'controller-ca': this.caFile(node),
      'controller-name': SERVICE,
      'token-file': this.tokenFile(node),
    }
    return Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
  }

  async startAgents(nodes: readonly LabNode[]): Promise<void> {
    await Promise.all(nodes.map((node) => node.agent.start({ flags: this.flagsFor(node) })))
  }

  /** `kubectl apply`. @throws Refused, with what the API server or the webhook says */
  async apply(...resources: readonly (Resource | object)[]): Promise<void> {
    await this.client.apply(resources as readonly KubeObject[])
  }

  /** `kubectl delete`: `delete('l3vnis/red')`. */
  async delete(what: string): Promise<void> {
    await this.client.ask('DELETE', pathOf(what))
  }

  /** `kubectl get`: `get('l3vnis/red')`; undefined when there is none. */
  async get(what: string): Promise<KubeObject | undefined> {
    const { status, body } = await this.client.call('GET', pathOf(what))
    return status === 200 ? (body as KubeObject) : undefined
  }

  /** `kubectl wait`: until the condition has that status for what is declared now. */
  async condition(what: string, type: string, status: 'True' | 'False' | 'Unknown'): Promise<Condition> {
    return eventually(`${what} is ${type}=${status}`, async () => {
      const object = await this.get(what)
      const conditions = (object?.['status']?.conditions ?? []) as readonly Condition[]
      const found = conditions.find((each) => each.type === type)
      if (found?.status === status && (found.observedGeneration ?? 0) >= (object?.metadata.generation ?? 0))
        return found
      throw new Error(JSON.stringify(conditions))
    })
  }

  /** An order to the API server's faults. */
  async order(order: Order): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const sent = request({ socketPath: CONTROL, method: 'POST', path: '/' }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => (text += String(chunk)))
      answer.on('end', () => (answer.statusCode === 200 ? resolve(text) : reject(new Error(text))))
    })
    sent.on('error', reject)
    sent.end(JSON.stringify(order))
    return JSON.parse(await promise)
  }

  /** Which controllers the Service leads to, as the EndpointSlice of those that are ready does. */
  async setEndpoints(controllers: readonly Controller[]): Promise<void> {
    const endpoints = controllers.map(({ address }) => ({ host: address, port: Controller.webhook }))
    await this.order({ do: 'service', name: `${NAMESPACE}/nodeleaf-controller:443`, endpoints })
  }

  /** Cuts a node off from the management network, or joins it again. */
  setReachable(node: LabNode, reachable: boolean): Promise<void> {
    return setReachable(node, reachable)
  }

  /** The end of the controllers' logs, for a scenario that failed. */
  async diagnostics(): Promise<string> {
    const parts = await Promise.all(
      [this.apiServer, ...this.controllers.map(({ process }) => process)].map(
        async (each) => `--- log of ${each.name} (end)\n${await each.tail(60)}`,
      ),
    )
    return parts.join('\n')
  }

  /** Ends all of it, and takes the management network away. */
  async stop(): Promise<void> {
    this.#client?.[Symbol.dispose]()
    await Promise.all(this.controllers.map(({ process }) => process.end('SIGKILL')))
    await this.apiServer.end('SIGKILL')
    await disconnect()
  }
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly observedGeneration?: number
}

/** One replica of the controller. */
export class Controller {
  static readonly agents = 7443
  static readonly webhook = 9443
  static readonly metrics = 8080
  static readonly kubeconfig = join(FOLDER, 'controller.kubeconfig')
  readonly name: string
  readonly address: string
  readonly process: LabProcess

  constructor(number: number) {
    this.name = `controller-${number}`
    this.address = `10.99.0.${number}`
    this.process = new LabProcess(this.name, join(FOLDER, `${this.name}.log`))
  }

  /** Starts it and waits until it has read everything. */
  async start(flags: readonly string[] = []): Promise<void> {
    const own = {
      kubeconfig: Controller.kubeconfig,
      name: this.name,
      listen: `${this.address}:${Controller.agents}`,
      advertise: `${this.address}:${Controller.agents}`,
      webhook: `${this.address}:${Controller.webhook}`,
      metrics: `${this.address}:${Controller.metrics}`,
    }
    const words = Object.entries(own).flatMap(([flag, value]) => [`--${flag}`, value])
    this.process.start([...program('controller'), ...words, ...flags])
    await this.process.until('is ready', async () => {
      const answer = await fetch(`http://${this.address}:${Controller.metrics}/readyz`).catch(() => undefined)
      await answer?.body?.cancel()
      return answer?.status === 200
    })
  }

  /** Its metrics, as text. */
  async metrics(): Promise<string> {
    return (await fetch(`http://${this.address}:${Controller.metrics}/metrics`)).text()
  }
}

const agentFolder = (node: string): string => join(FOLDER, `agent-${node}`)

/** `l3vnis/red`, `nodes/node1`, `secrets/NAME` in nodeleaf's namespace. */
function pathOf(what: string): string {
  const [plural = '', name = ''] = what.split('/')
  if (plural === 'nodes') return `/api/v1/nodes/${name}`
  if (plural === 'secrets' || plural === 'configmaps') return `/api/v1/namespaces/${NAMESPACE}/${plural}/${name}`
  return `/apis/nodeleaf.io/v1alpha1/${plural}/${name}`
}
