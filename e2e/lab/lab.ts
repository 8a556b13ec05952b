/** The lab: the fabric, its nodes, hosts and routers, and how it is brought back to where it began. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './command.ts'
import { ControlPlane, type ControlPlaneOptions } from './control-plane.ts'
import { DirectoryPlane } from './directory-plane.ts'
import { eventually } from './eventually.ts'
import { buildFabric, destroyFabric, endProcesses } from './fabric.ts'
import type { Frr } from './frr.ts'
import type { DatapathShape } from '../job.ts'
import { Namespace } from './namespace.ts'
import { LabNode, type Files } from './node.ts'
import { difference, snapshotOf, withoutLearned, type Snapshot } from './snapshot.ts'
import { parseTopology, type Topology } from './topology.ts'

const TOPOLOGY = join(import.meta.dirname, '..', '..', 'clab', 'fabric.clab.yml')
const FOLDER = '/tmp/lab'

interface Start {
  readonly snapshots: ReadonlyMap<string, Snapshot>
  readonly running: ReadonlyMap<string, string>
}

export class Lab {
  readonly topology: Topology
  readonly nodes: readonly LabNode[]
  private routers: ReadonlyMap<string, Frr> = new Map()
  private plane: ControlPlane | DirectoryPlane | undefined
  private start: Start = { snapshots: new Map(), running: new Map() }

  private constructor(topology: Topology) {
    this.topology = topology
    this.nodes = topology.nodes
      .filter(({ group }) => group === 'node')
      .map(({ name }) => new LabNode(name, join(FOLDER, name)))
  }

  /** Reads the topology, builds the fabric, waits until its own sessions are up, and records how it looks. */
  static async up(path = TOPOLOGY): Promise<Lab> {
    const lab = new Lab(parseTopology(await readFile(path, 'utf8'), path))
    await lab.rebuild()
    return lab
  }

  /** What shape the agents are told to have; undefined: none, they choose. */
  get datapath(): DatapathShape | undefined {
    return this.nodes[0]?.agent.datapath
  }

  set datapath(shape: DatapathShape | undefined) {
    for (const { agent } of this.nodes) agent.datapath = shape
  }

  /** A cluster node: node1 or node2. */
  node(name: string): LabNode {
    const node = this.nodes.find((candidate) => candidate.name === name)
    if (node === undefined) throw new Error(`the topology has no node ${name}`)
    return node
  }

  /** Any namespace: a host behind the leaf (hostred, hostblue, hostl2, hostl2d), a router, or one that a scenario made. */
  ns(name: string): Namespace {
    return new Namespace(name)
  }

  /** FRR of a router of the fabric: spine, tor1, tor2, leaf. */
  router(name: string): Frr {
    const frr = this.routers.get(name)
    if (frr === undefined) throw new Error(`the topology has no router ${name}`)
    return frr
  }

  /** The same files into the config directories of all nodes. */
  async writeConfig(files: Files): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.writeConfig(files)))
  }

  /** Starts the agents of all nodes, at once. */
  async startAgents(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.agent.start()))
  }

  /** API server and controllers, all nodes joined; gone after the scenario. */
  async startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const plane = new ControlPlane(this.nodes, options)
    this.plane = plane
    await plane.start()
    return plane
  }

  /** A controller without Kubernetes; gone after the scenario. */
  async startDirectoryPlane(): Promise<DirectoryPlane> {
    const plane = new DirectoryPlane(this.nodes)
    this.plane = plane
    await plane.start()
    return plane
  }

  /** A namespace of a scenario's own; gone after the scenario. */
  async addNamespace(name: string): Promise<Namespace> {
    await run(['ip', 'netns', 'add', name])
    const namespace = new Namespace(name)
    await namespace.ip('link set lo up')
    return namespace
  }

  /** Removes a namespace of a scenario's own before its end. */
  async removeNamespace(name: string): Promise<void> {
    await endProcesses(name)
    await run(['ip', 'netns', 'del', name])
  }

  /** Ends a router of the fabric as a power cut does: links down, no last word of FRR on them. */
  async powerOff(name: string): Promise<void> {
    await this.setLinks(name, 'down')
    await this.router(name).kill()
  }

  /** Turns it on again, with the configuration of its file. */
  async powerOn(name: string): Promise<void> {
    const node = this.topology.nodes.find((candidate) => candidate.name === name)
    await this.setLinks(name, 'up')
    // Addresses of IPv6 go when a link goes down; adding those of IPv4 again is refused and does no harm.
    const again = (node?.exec ?? [])
      .filter((command) => command.startsWith('ip addr add'))
      .map((command) => command.slice(3))
    await this.ns(name).attempt(['ip', '-force', '-batch', '-'], { input: again.join('\n') })
    await this.router(name).start(await readFile(node?.binds.get('/etc/frr/frr.conf') ?? '/dev/null', 'utf8'))
    await this.settled()
  }

  private async setLinks(name: string, state: 'up' | 'down'): Promise<void> {
    const ends = this.topology.links.flat().filter((end) => end.node === name)
    await this.ns(name).ip(...ends.map((end) => `link set ${end.interface} ${state}`))
  }

  /** Takes everything down, builds it new, records how it looks. */
  async rebuild(): Promise<void> {
    for (const node of this.nodes) await node.agent.kill()
    await this.stopControlPlane()
    await destroyFabric()
    for (const node of this.nodes) await node.forget()
    this.routers = await buildFabric(this.topology)
    await this.settled()
    await this.prepareNodes()
    this.start = await this.look()
  }

  /** Waits until the fabric's own sessions are Established, IPv4 and IPv6. */
  async settled(): Promise<void> {
    const spine = this.router('spine')
    await eventually('the spine has its six sessions', async () => {
      const sessions = [...(await spine.sessions()).values()]
      const up = sessions.filter((session) => session.state === 'Established').length
      if (up < 6) throw new Error(`${up} of ${sessions.length} Established`)
      return true
    })
  }

  /**
   * Back to the start: agents uninstalled, speakers ended, namespaces of scenarios removed. Gives what is still
   * different from the recorded start; when that is anything, the caller rebuilds.
   */
  async reset(): Promise<readonly string[]> {
    await Promise.all(this.nodes.map((node) => node.clean()))
    await this.stopControlPlane()
    await this.removeForeignNamespaces()
    for (const [name, frr] of this.routers) if ((await frr.pids()).size < 5) await this.powerOn(name)
    await this.prepareNodes()
    const left = await this.differences()
    if (left.length === 0) return left
    // A link or a session may just be on its way.
    return eventually('no differences', async () => ((await this.differences()).length === 0 ? [] : null), {
      timeoutMs: 20_000,
    }).catch(() => this.differences())
  }

  private async stopControlPlane(): Promise<void> {
    await this.plane?.stop()
    this.plane = undefined
  }

  private async differences(): Promise<string[]> {
    const now = await this.look()
    const left: string[] = []
    for (const [name, before] of this.start.snapshots) {
      left.push(...difference(before, now.snapshots.get(name) ?? []).map((line) => `${name}: ${line}`))
    }
    for (const [name, before] of this.start.running) {
      const lines = (text: string | undefined) => (text ?? '').split('\n')
      left.push(...difference(lines(before), lines(now.running.get(name))).map((line) => `${name}, FRR: ${line}`))
    }
    return left
  }

  private async removeForeignNamespaces(): Promise<void> {
    const known = new Set(this.topology.nodes.map((node) => node.name))
    for (const name of await namespaceNames()) if (!known.has(name)) await this.removeNamespace(name)
  }

  private async prepareNodes(): Promise<void> {
    for (const node of this.nodes) await node.writeNodeFile()
  }

  private async look(): Promise<Start> {
    const names = this.topology.nodes.map((node) => node.name)
    const shots = await Promise.all(
      names.map(async (name): Promise<[string, Snapshot]> => [name, withoutLearned(await snapshotOf(name))]),
    )
    const texts = await Promise.all(
      [...this.routers].map(async ([name, frr]): Promise<[string, string]> => [name, await frr.running()]),
    )
    return { snapshots: new Map(shots), running: new Map(texts) }
  }

  /** What the fabric and the nodes look like, for a failed scenario. */
  async diagnostics(): Promise<string> {
    const nodes = await Promise.all(this.nodes.map((node) => node.diagnostics()))
    const routers = await Promise.all(
      [...this.routers].map(
        async ([name, frr]) => `--- ${name}\n${await frr.vtysh('show bgp vrf all summary', 'show evpn vni')}`,
      ),
    )
    const shown = new Set(this.nodes.flatMap((node) => [node.name, node.router.name]))
    const guests = (await namespaceNames()).filter((name) => !shown.has(name)).map((name) => this.ns(name))
    const kernels = await Promise.all(
      guests.map(async (guest) => {
        const script = 'ip neigh; bridge fdb | grep -v " self permanent"; bridge fdb | grep 00:00:00:00:00:00'
        return `--- kernel, ${guest.name}\n${(await guest.attempt(['sh', '-c', script])).stdout}`
      }),
    )
    const plane = this.plane === undefined ? [] : [await this.plane.diagnostics()]
    return [...plane, ...nodes, ...routers, ...kernels].join('\n')
  }
}

async function namespaceNames(): Promise<string[]> {
  const listed = await run(['ip', 'netns', 'list'])
  return listed.split('\n').flatMap((line) => line.split(' ')[0] || [])
}
