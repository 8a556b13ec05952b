/** A controller without Kubernetes: files in place of the API, certificates in place of tokens. */
import { mkdirSync } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { RouterNodeDetail, RouterNodeState } from '../../controller/status/router-node-status.ts'
import type { ResourceStatus } from '../../controller/fabric/world.ts'
import { run } from './command.ts'
import { eventually } from './eventually.ts'
import { connect, disconnect } from './management-network.ts'
import type { LabNode } from './node.ts'
import { LabProcess } from './process.ts'
import { program } from './program.ts'

const FOLDER = '/tmp/lab/directory-plane'
const ADDRESS = '10.99.0.1'
const AGENTS = `${ADDRESS}:7443`
const METRICS = `${ADDRESS}:8080`

interface RouterNodeFile {
  readonly spec?: { readonly index: number; readonly addresses?: { readonly vteps: readonly string[] } }
  readonly status?: Partial<RouterNodeState & RouterNodeDetail>
}

export class DirectoryPlane {
  readonly controller = new LabProcess('the controller', join(FOLDER, 'controller.log'))
  readonly stateDir = join(FOLDER, 'state')
  readonly #configDir = join(FOLDER, 'fabric')
  readonly #nodes: readonly LabNode[]

  constructor(nodes: readonly LabNode[]) {
    this.#nodes = nodes
  }

  /** The network and the controller, with an empty directory. */
  async start(): Promise<void> {
    await rm(FOLDER, { recursive: true, force: true })
    mkdirSync(this.#configDir, { recursive: true })
    await connect(this.#nodes, { addresses: [ADDRESS], folder: FOLDER })
    await this.startController()
  }

  async startController(): Promise<void> {
    const flags = { 'config-dir': this.#configDir, 'state-dir': this.stateDir, listen: AGENTS, metrics: METRICS }
    this.controller.start([...program('controller'), ...wordsOf(flags)])
    await this.controller.until('is ready', async () => {
      const answer = await fetch(`http://${METRICS}/readyz`).catch(() => undefined)
      await answer?.body?.cancel()
      return answer?.status === 200
    })
  }

  /** `nodeleaf-controller issue-agent-certificate`; by default for a node, from the controller's CA, where its agent looks. */
  async issueCertificate(
    node: string,
    { stateDir = this.stateDir, out = agentFolder(node) }: { readonly stateDir?: string; readonly out?: string } = {},
  ): Promise<string> {
    return run([...program('controller'), 'issue-agent-certificate', ...wordsOf({ 'state-dir': stateDir, node, out })])
  }

  /** A folder beside that of the controller. */
  folder(name: string): string {
    return join(FOLDER, name)
  }

  /** What an agent is started with; `certificates` is where `issueCertificate` wrote them, `ca` the CA's file. */
  flagsFor({ name }: LabNode, certificates = agentFolder(name), ca = join(certificates, 'ca.crt')): string[] {
    return wordsOf({
      controller: AGENTS,
      'controller-ca': ca,
      'tls-cert': join(certificates, 'tls.crt'),
      'tls-key': join(certificates, 'tls.key'),
    })
  }

  /** Puts objects into files of the directory, each in one step. */
  async write(files: Readonly<Record<string, readonly object[]>>): Promise<void> {
    for (const [name, objects] of Object.entries(files)) {
      const temporary = join(this.#configDir, `.${name}.new`)
      await writeFile(temporary, objects.map((each) => stringify(each)).join('---\n'))
      await rename(temporary, join(this.#configDir, name))
    }
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#configDir, name))
  }

  /** What the controller wrote of a resource: `statusOf('L3VNI-red')`; undefined when there is no such file. */
  async statusOf(resource: string): Promise<ResourceStatus | undefined> {
    return ((await this.#read(`resources/${resource}.yaml`)) as { status?: ResourceStatus } | undefined)?.status
  }

  async routerNode(name: string): Promise<RouterNodeFile | undefined> {
    return (await this.#read(`nodes/${name}.yaml`)) as RouterNodeFile | undefined
  }

  /** Waits until the file of a resource says that it works on all of `nodes`, as it is declared in `generation`. */
  async ready(resource: string, { nodes, generation }: { nodes: number; generation?: number }): Promise<void> {
    await eventually(`${resource} is Ready`, async () => {
      const status = await this.statusOf(resource)
      const found = status?.conditions.find(({ type }) => type === 'Ready')
      if (found?.status !== 'True' || status?.nodes?.summary !== `${nodes}/${nodes}`)
        throw new Error(JSON.stringify(status))
      return generation === undefined || found.observedGeneration === generation
    })
  }

  /** The controller's metrics, as text. */
  async metrics(): Promise<string> {
    return (await fetch(`http://${METRICS}/metrics`)).text()
  }

  async #read(path: string): Promise<unknown> {
    const text = await readFile(join(this.stateDir, path), 'utf8').catch(() => undefined)
    return text === undefined ? undefined : parse(text)
  }

  /** The end of the controller's log, for a scenario that failed. */
  async diagnostics(): Promise<string> {
    return `--- log of ${this.controller.name} (end)\n${await this.controller.tail(60)}`
  }

  async stop(): Promise<void> {
    await this.controller.end('SIGKILL')
    await disconnect()
  }
}

const agentFolder = (node: string): string => join(FOLDER, `agent-${node}`)

const wordsOf = (flags: Readonly<Record<string, string>>): string[] =>
  Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
