/** A cluster node of the lab: its host namespace, the agent on it, the router it makes, a speaker beside it. */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { Agent } from './agent.ts'
import { Bird } from './bird.ts'
import { endProcesses } from './fabric.ts'
import { Frr } from './frr.ts'
import { Namespace } from './namespace.ts'
import { attempt } from './command.ts'

/** Name to content: text is written as it is, objects (or lists of them) as YAML documents. */
export type Files = Readonly<Record<string, string | object | readonly object[]>>

export class LabNode extends Namespace {
  readonly agent: Agent
  /** The namespace that the agent makes: `router-node1`. */
  readonly router: Namespace
  /** The FRR that the agent starts in it. */
  readonly routerFrr: Frr
  private readonly folder: string
  private frr: Frr | undefined
  private bird: Bird | undefined
  private readonly addresses: string[] = []

  constructor(name: string, folder: string) {
    super(name)
    this.folder = folder
    const router = `router-${name}`
    this.agent = new Agent(name, router, folder)
    this.router = new Namespace(router)
    this.routerFrr = new Frr(router)
  }

  /** Writes the node file; by default `name`, and `index` 0 for node1, 1 for node2. */
  async writeNodeFile(content: object = { name: this.name, index: Number(this.name.slice(-1)) - 1 }): Promise<void> {
    await mkdir(this.folder, { recursive: true })
    await writeFile(join(this.folder, 'node.yaml'), stringify(content))
  }

  /** Puts files into the agent's config directory, each in one step (a rename). Other files there stay. */
  async writeConfig(files: Files): Promise<void> {
    const directory = join(this.folder, 'config')
    await mkdir(directory, { recursive: true })
    for (const [name, content] of Object.entries(files)) {
      const temporary = join(directory, `.${name}.new`)
      await writeFile(temporary, text(content))
      await rename(temporary, join(directory, name))
    }
  }

  /** Makes the config directory hold exactly these files. */
  async replaceConfig(files: Files): Promise<void> {
    await this.writeConfig(files)
    await this.removeConfig(...(await this.configFiles()).filter((name) => !(name in files)))
  }

  async removeConfig(...names: string[]): Promise<void> {
    for (const name of names) await rm(join(this.folder, 'config', name), { force: true })
  }

  private configFiles(): Promise<string[]> {
    return readdir(join(this.folder, 'config')).catch(() => [])
  }

  /** Starts a stock FRR in the host namespace, as MetalLB's and FRR-K8s' speakers are. Replaces the one before. */
  async hostFrr(config: string): Promise<Frr> {
    await this.frr?.kill()
    this.frr = new Frr(this.name)
    await this.frr.start(config)
    return this.frr
  }

  /** Starts a stock BIRD in the host namespace, as Calico's speaker is. Replaces the one before. */
  async hostBird(config: string): Promise<Bird> {
    await this.bird?.stop()
    this.bird = new Bird(this.name)
    await this.bird.start(config)
    return this.bird
  }

  /** Puts addresses of workloads (with prefix length: /32, /128) on the host's loopback, as kube-proxy and MetalLB do; `clean` removes them. */
  async addAddresses(...addresses: string[]): Promise<void> {
    await this.ip(...addresses.map((address) => `addr replace ${address} dev lo`))
    this.addresses.push(...addresses)
  }

  /** Agent uninstalled, speakers ended, files removed. What a scenario added by hand is its own to remove. */
  async clean(): Promise<void> {
    await this.frr?.stop()
    await this.bird?.stop()
    await this.agent.stop()
    if (this.agent.installed) await this.agent.uninstall()
    const addresses = new Set(this.addresses)
    if (addresses.size > 0) await this.ip(...[...addresses].map((address) => `addr del ${address} dev lo`))
    await endProcesses(this.name)
    await this.forget()
  }

  /** Files and memories of a node whose namespace is gone. */
  async forget(): Promise<void> {
    this.frr = undefined
    this.bird = undefined
    this.addresses.length = 0
    await rm(this.folder, { recursive: true, force: true })
  }

  /** Everything one wants to see of a node when something went wrong. */
  async diagnostics(): Promise<string> {
    const parts: string[] = []
    const part = (title: string, content: string) => {
      if (content.trim() !== '') parts.push(`--- ${this.name}: ${title}`, content.trimEnd())
    }
    part('agent log (end)', await this.agent.tail(60))
    const logs = `/run/frr/${this.router.name}/managed`
    part("FRR's own logs (end)", (await attempt(['sh', '-c', `tail -qn 40 ${logs}/*.log`])).stdout)
    if (this.agent.running) {
      const lines = (await this.agent.cli('status')).stdout.split('\n')
      part('status (beginning)', lines.slice(0, 60).join('\n'))
    }
    for (const namespace of [this.name, this.router.name]) {
      const script =
        'ip -d -br addr; ip -d link | grep -E "alias|master" ; ip route show table all type unicast; ip -6 route; ip rule; ip neigh; bridge fdb | grep -v " self permanent"; bridge fdb | grep 00:00:00:00:00:00'
      part(`kernel, ${namespace}`, (await attempt(['ip', 'netns', 'exec', namespace, 'sh', '-c', script])).stdout)
    }
    for (const frr of [this.frr, this.routerFrr]) {
      if (frr === undefined || (await frr.pids()).size === 0) continue
      const shows = [
        'show bgp vrf all summary',
        'show evpn vni',
        'show vrf vni',
        'show bgp l2vpn evpn',
        'show running-config',
      ]
      part(`FRR ${frr.name}`, await frr.vtysh(...shows))
    }
    return parts.join('\n')
  }
}

function text(content: Files[string]): string {
  if (typeof content === 'string') return content
  return (Array.isArray(content) ? content : [content]).map((document) => stringify(document)).join('---\n')
}
