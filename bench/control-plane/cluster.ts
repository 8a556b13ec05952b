/** The cluster of the simulation: the API server in memory and the controller, each in a process of its own. */
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Order } from '../../e2e/apiserver/faults/control.ts'
import { kubeconfigText } from '../../e2e/apiserver/kubeconfig.ts'
import { Client, type KubeObject } from '../../e2e/control-plane/client.ts'
import { eventually, tokenFor } from '../../e2e/control-plane/cluster.ts'
import { bundle } from '../../hack/bundle/bundle.ts'
import type { Recruit } from './crowd-messages.ts'
import { node, nodeName, underlay, vnis } from './fabric.ts'
import type { SimulationOptions } from './options.ts'
import { Program } from './program.ts'
import { shippedEnvironment } from './shipped.ts'

const ROOT = join(import.meta.dirname, '../..')
const NAMESPACE = 'nodeleaf-system'
export const SERVICE = `nodeleaf-controller.${NAMESPACE}.svc`
const QUIET = '--disable-warning=ExperimentalWarning'
/** Otherwise a controller that was killed leads again after ten seconds at the earliest; a busy machine must bear it. */
const SHORT_LEASE = { 'lease-duration': '5s', 'renew-deadline': '4s', 'retry-period': '500ms' }
/** Requests of the administrator under way at one time. */
const AT_ONCE = 8

/** Requests that the API server got, by `verb resource`. */
export type Requests = Readonly<Record<string, number>>

export class Cluster implements AsyncDisposable {
  readonly client: Client
  readonly #options: SimulationOptions
  readonly #folder: string
  readonly #apiServer: Program
  readonly #ports: readonly [agents: number, webhook: number, metrics: number]
  #controller: Program | undefined
  #program: readonly string[] = []
  #stallMs = 0
  #runs = 0

  private constructor(
    options: SimulationOptions,
    folder: string,
    apiServer: Program,
    client: Client,
    ports: Cluster['ports'],
  ) {
    this.#options = options
    this.#folder = folder
    this.#apiServer = apiServer
    this.client = client
    this.#ports = ports
  }

  get ports(): readonly [agents: number, webhook: number, metrics: number] {
    return this.#ports
  }

  /** With nodes and resources in it, and no controller. `folder` is for logs and sockets. */
  static async start(options: SimulationOptions, folder: string): Promise<Cluster> {
    const kubeconfig = join(folder, 'admin.kubeconfig')
    const flags = ['--rbac', '--kubeconfig-out', kubeconfig, '--control', join(folder, 'control'), '--history', '500']
    const program = join(ROOT, 'e2e/apiserver/main.ts')
    const log = join(folder, 'apiserver.log')
    const profiling = profileFlags(options, 'apiserver')
    const argv = [process.execPath, QUIET, '--max-old-space-size=8192', ...profiling, program, ...flags]
    const apiServer = new Program('the API server', argv, log)
    await apiServer.until('answers', () => apiServer.log().includes('listening'))
    const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig
    const [{ cluster } = NO_CLUSTER] = clusters
    const ca = Buffer.from(cluster['certificate-authority-data'], 'base64').toString()
    const client = new Client({ url: cluster.server, ca, token: users[0]?.user.token ?? '' })
    const ports = [await freePort(), await freePort(), await freePort()] as const
    const made = new Cluster(options, folder, apiServer, client, ports)
    try {
      await made.#fill(cluster.server, ca)
      return made
    } catch (error) {
      await made[Symbol.asyncDispose]()
      throw error
    }
  }

  get controller(): Program {
    if (this.#controller === undefined) throw new Error('there is no controller')
    return this.#controller
  }

  /** Starts the controller; a former one must have ended. */
  async startController(): Promise<void> {
    const [agents, webhook, metrics] = this.#ports
    const { nodeFlags, quick, sources } = this.#options
    if (this.#program.length === 0)
      this.#program = sources ? [join(ROOT, 'controller/main.ts')] : [await this.#bundled()]
    const run = ++this.#runs
    const flags = {
      kubeconfig: join(this.#folder, 'controller.kubeconfig'),
      name: 'controller-1',
      listen: `127.0.0.1:${agents}`,
      advertise: `127.0.0.1:${agents}`,
      webhook: `127.0.0.1:${webhook}`,
      metrics: `127.0.0.1:${metrics}`,
      ...(quick ? SHORT_LEASE : {}),
    }
    const words = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
    const argv = [
      process.execPath,
      QUIET,
      ...nodeFlags,
      ...profileFlags(this.#options, `run-${run}`),
      ...this.#program,
      ...words,
    ]
    const log = join(this.#folder, `controller-${run}.log`)
    this.#controller = new Program('the controller', argv, log, { ...shippedEnvironment(), ...process.env })
  }

  /** All of what the controller counts, by name; labels are summed up but for `name{label}`. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const answer = await fetch(`http://127.0.0.1:${this.#ports[2]}/metrics`)
    const values = new Map<string, number>()
    for (const line of (await answer.text()).split('\n')) {
      const [, name = '', labels = '', value] = /^([a-z_]+)(\{[^}]*\})? (\S+)$/.exec(line) ?? []
      if (value === undefined) continue
      for (const key of new Set([name, `${name}${labels}`])) values.set(key, (values.get(key) ?? 0) + Number(value))
    }
    this.#stallMs = Math.max(this.#stallMs, (values.get('nodejs_eventloop_lag_max_seconds') ?? 0) * 1000)
    return values
  }

  /** For how long the controller did nothing else at the longest, as of the last look at its metrics; begins anew then. */
  stallMs(): number {
    const longest = this.#stallMs
    this.#stallMs = 0
    return longest
  }

  /** How often the controller that runs had the Lease and lost it. */
  termsLost(): number {
    return this.controller.log().split('leading no more').length - 1
  }

  async metric(name: string): Promise<number> {
    try {
      return (await this.metrics()).get(name) ?? 0
    } catch {
      // Not up yet.
      return 0
    }
  }

  /** What the API server was asked for by the controller since the last time. */
  async requests(): Promise<Requests> {
    const filter = { user: `system:serviceaccount:${NAMESPACE}:nodeleaf-controller` }
    return (await this.#order({ do: 'audit', count: true, filter, clear: true })) as Requests
  }

  /** PEM that agents trust, once the controller has published it. */
  async ca(): Promise<string> {
    return eventually('the CA is published', async () => {
      const path = `/api/v1/namespaces/${NAMESPACE}/configmaps/nodeleaf-ca`
      const { status, body } = await this.client.call('GET', path)
      return status === 200 ? (body.data?.['ca.crt'] as string | undefined) : undefined
    })
  }

  /** Tokens as the kubelet would project them, bound to their nodes. */
  async recruits(): Promise<readonly Recruit[]> {
    const recruits: Recruit[] = []
    await inParallel(this.#options.agents, async (at) => {
      const name = nodeName(at)
      const { token } = (await this.#order({
        do: 'token',
        namespace: NAMESPACE,
        name: 'nodeleaf-agent',
        audiences: ['nodeleaf'],
        expirationSeconds: 86_400,
        bound: { kind: 'Node', name },
      })) as { token: string }
      recruits[at] = { node: name, token }
    })
    return recruits
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]()
    // A profile is written at a good end only.
    const signal = this.#options.profile === undefined ? 'SIGKILL' : 'SIGTERM'
    await this.#controller?.end(signal)
    await this.#apiServer.end(signal)
  }

  /** The webhook is there from the start as a name, and refuses nothing before there are resources. */
  async #fill(server: string, ca: string): Promise<void> {
    const documents = parseAllDocuments(readFileSync(join(ROOT, 'deploy/nodeleaf.yaml'), 'utf8'))
    const objects = documents.map((each) => each.toJS() as KubeObject | null).filter((each) => each !== null)
    const isWebhook = ({ kind }: KubeObject): boolean => kind === 'ValidatingWebhookConfiguration'
    await this.client.apply(objects.filter((each) => !isWebhook(each)))
    const token = await tokenFor(this.client, 'nodeleaf-controller', { expirationSeconds: 86_400 })
    writeFileSync(join(this.#folder, 'controller.kubeconfig'), kubeconfigText({ server, ca, token }), { mode: 0o600 })
    const { agents, vnis: count } = this.#options
    await inParallel(agents, (at) => this.#create('/api/v1/nodes', node(at)))
    const declared = [underlay, ...vnis(count)]
    await inParallel(declared.length, async (at) => {
      const object = declared[at]
      if (object) await this.#create(`/apis/nodeleaf.io/v1alpha1/${object.kind.toLowerCase()}s`, object)
    })
    await this.#order({
      do: 'service',
      name: `${NAMESPACE}/nodeleaf-controller:443`,
      endpoints: [{ host: '127.0.0.1', port: this.#ports[1] }],
    })
    await this.client.apply(objects.filter(isWebhook))
  }

  async #create(path: string, object: KubeObject): Promise<void> {
    await this.client.ask('POST', path, { body: object })
  }

  async #bundled(): Promise<string> {
    const folder = join(this.#folder, 'dist')
    await bundle(ROOT, 'controller', folder)
    return join(folder, 'nodeleaf-controller.mjs')
  }

  async #order(order: Order): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const sent = request({ socketPath: join(this.#folder, 'control'), method: 'POST', path: '/' }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      answer.on('end', () => (answer.statusCode === 200 ? resolve(text) : reject(new Error(text))))
    })
    sent.on('error', reject)
    sent.end(JSON.stringify(order))
    return JSON.parse(await promise)
  }
}

const profileFlags = ({ profile }: SimulationOptions, name: string): readonly string[] =>
  profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-name=${name}.cpuprofile`, `--cpu-prof-dir=${profile}`]

/** As `kubeconfigText` writes it: JSON. */
interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string }
  }[]
  readonly users: readonly { readonly user: { readonly token: string } }[]
}
const NO_CLUSTER = { cluster: { server: '', 'certificate-authority-data': '' } }

/** `work` for 0 to `count` - 1, a few at a time. */
export async function inParallel(count: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
