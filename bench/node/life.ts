/** One life of a node in the guest: from the Underlay to n VNIs, through changes, back to the Underlay. */
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { deleteLink, getLink } from '../../agent/kernel/netlink/link.ts'
import { Netlink } from '../../agent/kernel/netlink/netlink.ts'
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { batched, baseline, floor, kernelObjects, leftInFrr, ours, type Party } from './contestant.ts'
import { making } from './batch.ts'
import { memoryOf } from '../process/cost.ts'
import { cpuOf, since } from './cost.ts'
import { expectedOf, type Expected } from './expected.ts'
import type { Life } from './lives.ts'
import { calm, Node } from './node.ts'
import type { BenchEvent, Costs, Name, Sample, Shape } from './sample.ts'
import { signsOf } from './signs.ts'
import { View } from './view.ts'
import { nodePlan } from './workload.ts'

export interface LifeOptions {
  readonly program: string
  readonly profile?: string
  /** How long nothing happens for the row idle. */
  readonly idleSeconds: number
  /** How long after the last work memory is read: what the work needed for a while has been given back then. */
  readonly restSeconds: number
}

/** Longer ones have three samples. */
const LONG_SECONDS = 30

export class LivingNode {
  readonly #life: Life
  readonly #options: LifeOptions
  readonly #node: Node
  readonly #view: View
  readonly #party: Party
  readonly #tell: (event: BenchEvent) => void
  #plan: NodePlan = nodePlan(0)

  private constructor(life: Life, options: LifeOptions, node: Node, view: View, tell: (event: BenchEvent) => void) {
    this.#life = life
    this.#options = options
    this.#node = node
    this.#view = view
    this.#party = life.contestant === 'ours' ? ours : life.contestant === 'floor' ? floor(life.shape) : baseline
    this.#tell = tell
  }

  /** Returns how long the things took for which a node has to be new, in seconds. */
  static async run(life: Life, options: LifeOptions, tell: (event: BenchEvent) => void): Promise<readonly number[]> {
    const { program, profile } = options
    const { shape } = life
    const node = await Node.up({ program, shape, ...(profile === undefined ? {} : { profile }) })
    try {
      using view = await View.open(node.router, node.frrSockets)
      return await new LivingNode(life, options, node, view, tell).#live()
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\nthe agent's log:\n${node.tail()}`, {
        cause: error,
      })
    } finally {
      await node.down()
    }
  }

  get #ours(): boolean {
    return this.#life.contestant === 'ours'
  }

  #has(name: Name): boolean {
    return this.#life.names.includes(name)
  }

  async #live(): Promise<readonly number[]> {
    const { n, samples } = this.#life
    if (!this.#ours) await this.#node.stop('SIGKILL')
    // Before an agent comes back to the node, which takes less.
    if (n === 0) await this.#memory()
    if (this.#has('start')) await this.#times(samples, () => this.#start())
    if (n === 0) return []
    const cold = await this.#change('cold-start', nodePlan(n))
    await this.#memory()
    const changes = ['add-one', 'change-gateway', 'delete-one'] as const
    if (changes.some((name) => this.#has(name)))
      await this.#times(samples, async () => {
        await this.#change('add-one', nodePlan(n, { extra: 0 }))
        await this.#change('change-gateway', nodePlan(n, { extra: 1 }))
        await this.#change('delete-one', nodePlan(n))
      })
    if (this.#has('no-op')) await this.#times(samples, () => this.#noOp())
    if (this.#has('drift')) await this.#times(samples, () => this.#drift())
    if (this.#has('restart-adopt')) await this.#times(samples, () => this.#restart())
    if (this.#has('idle')) await this.#times(Math.min(samples, 3), () => this.#idle())
    return this.#has('delete-all') ? [cold, await this.#change('delete-all', nodePlan(0))] : [cold]
  }

  /** Rows of half a minute and more have three samples. */
  async #times(samples: number, work: () => Promise<unknown>): Promise<void> {
    const began = performance.now()
    for (let done = 0; done < samples; done++) {
      if (done >= 3 && (performance.now() - began) / done > LONG_SECONDS * 1000) return
      await work()
    }
  }

  /** From the plan that is in place to another one; in seconds. A row that is not asked for is done, but not told. */
  async #change(name: Name, to: NodePlan): Promise<number> {
    const from = this.#plan
    const { shape } = this.#life
    const [before, after] = [this.#expected(from), this.#expected(to)]
    const signs = signsOf(before, after, from, to)
    const go = await this.#party.change(this.#node, { from, to }, this.#view)
    const phases = await this.#phases()
    await calm()
    const pids = this.#node.pids()
    const costs = cpuOf(pids)
    const began = performance.now()
    await go()
    const seconds = ((await this.#view.seen(signs, after, () => this.#ended())) - began) / 1000
    this.#plan = to
    if (this.#ours) await this.#node.applied()
    const spent = since(costs, cpuOf(pids))
    const unit = name === 'cold-start' || name === 'delete-all' ? 1 : 1000
    const took = phases && since(phases, (await this.#phases()) ?? {})
    this.#sample({
      name,
      shape,
      value: seconds * unit,
      costs: spent,
      ...(took === undefined ? {} : { phases: took }),
    })
    await this.#verify(name, after)
    return seconds
  }

  /** Everything that the plan says is there and nothing else: in the kernel, in zebra, in FRR's configuration. */
  async #verify(name: Name, expected: Expected): Promise<void> {
    const wrong = [...(await this.#view.differences(expected)), ...(await leftInFrr(this.#node, this.#plan))]
    if (wrong.length > 0) this.#mistake(name, `${wrong.length} differences at the end: ${wrong.slice(0, 5).join('; ')}`)
  }

  /** Nothing is to be done: the agent looks at everything, the others run what they run whatever is to be done. */
  async #noOp(): Promise<void> {
    const { contestant, shape } = this.#life
    if (contestant === 'floor') return
    const go = await this.#party.change(this.#node, { from: this.#plan, to: this.#plan }, this.#view)
    await calm()
    const before = await this.#counters()
    const pids = this.#node.pids()
    const costs = cpuOf(pids)
    const began = performance.now()
    if (this.#ours) await post(this.#node.socket, '/reconcile')
    else await go()
    const value = performance.now() - began
    const spent = since(costs, cpuOf(pids))
    if (this.#ours) {
      // The same plan once more, as a controller sends it that knows nothing of what is there.
      await go()
      await post(this.#node.socket, '/reconcile')
    }
    const after = await this.#counters()
    const [writes, commands] = [after.writes - before.writes, after.commands - before.commands]
    this.#sample({ name: 'no-op', shape, value, costs: spent, ...(this.#ours ? { writes, commands } : {}) })
    if (writes + commands > 0) this.#mistake('no-op', `${writes} writes and ${commands} commands`)
  }

  /** Somebody deletes a segment's veth; until it is back. */
  async #drift(): Promise<void> {
    const { shape } = this.#life
    const segment = this.#plan.segments.findLast(({ vrf }) => vrf === undefined)
    const names = [`pe-${segment?.vni}`, `host-${segment?.vni}`]
    const lost = kernelObjects(this.#plan, this.#shape).filter(
      (object) => object.type === 'link' && names.includes(object.name),
    )
    const others = await this.#party.change(this.#node, { from: this.#plan, to: this.#plan }, this.#view)
    await calm()
    const pids = this.#node.pids()
    const costs = cpuOf(pids)
    using netlink = Netlink.open({ netns: `/run/netns/${this.#node.router}` })
    const victim = getLink(netlink, names[0] ?? '')
    if (victim === undefined) throw new Error(`there is no ${names[0]}`)
    const began = performance.now()
    deleteLink(netlink, victim.index)
    if (!this.#ours) await batched(this.#node, making(lost, process.pid).ports)
    if (this.#life.contestant === 'baseline') await others()
    const seen = await this.#view.seen({ ...NOTHING, links: names.slice(0, 1) }, undefined, () => this.#ended())
    this.#sample({ name: 'drift', shape, value: seen - began, costs: since(costs, cpuOf(pids)) })
    await calm()
    await this.#verify('drift', this.#expected(this.#plan))
  }

  /** The agent is killed and comes back to everything; what others do when they come back is what they always do. */
  async #restart(): Promise<void> {
    const { contestant, shape } = this.#life
    if (contestant === 'floor') return
    const others = await this.#party.change(this.#node, { from: this.#plan, to: this.#plan }, this.#view)
    if (this.#ours) await this.#node.stop('SIGKILL')
    await calm()
    const began = performance.now()
    if (this.#ours) {
      await this.#node.start()
      await this.#node.applied()
    } else await others()
    this.#sample({ name: 'restart-adopt', shape, value: (performance.now() - began) / 1000 })
    const { writes, commands } = await this.#counters()
    if (writes + commands > 0) this.#mistake('restart-adopt', `${writes} writes and ${commands} commands`)
    await this.#verify('restart-adopt', this.#expected(this.#plan))
  }

  /** From the process's start to the end of its first pass; FRR runs already. */
  async #start(): Promise<void> {
    await this.#node.stop('SIGKILL')
    await calm()
    const began = performance.now()
    this.#node.launch()
    const { reconciled } = this.#node
    await this.#node.until('makes its first pass', reconciled, 5)
    this.#sample({ name: 'start', shape: this.#life.shape, value: (performance.now() - began) / 1000 })
    await this.#node.opened()
  }

  async #memory(): Promise<void> {
    const pid = this.#node.agentPid
    if (!this.#has('memory') || !this.#ours || pid === undefined) return
    await calm()
    await sleep(this.#options.restSeconds * 1000)
    this.#sample({ name: 'memory', shape: this.#life.shape, value: memoryOf(pid).rss })
  }

  async #idle(): Promise<void> {
    await calm()
    const pids = this.#node.pids()
    const before = cpuOf(pids)
    await sleep(this.#options.idleSeconds * 1000)
    const spent = since(before, cpuOf(pids))
    const value = ((spent['agent'] ?? 0) * 60) / this.#options.idleSeconds
    this.#sample({ name: 'idle', shape: this.#life.shape, value, costs: spent })
  }

  async #counters(): Promise<{ writes: number; commands: number }> {
    if (!this.#ours) return { writes: 0, commands: 0 }
    const { counters } = await this.#node.status()
    return { writes: counters.netlinkWrites, commands: counters.frrCommands }
  }

  async #phases(): Promise<Costs | undefined> {
    return this.#ours ? (await this.#node.status()).counters.phases : undefined
  }

  get #shape(): Shape {
    return this.#life.contestant === 'baseline' ? 'per-vni' : this.#life.shape
  }

  #expected(plan: NodePlan): Expected {
    return expectedOf(plan, kernelObjects(plan, this.#shape))
  }

  #ended(): string | undefined {
    return this.#ours && !this.#node.running ? 'the agent has ended' : undefined
  }

  #sample(sample: Omit<Sample, 'contestant' | 'n'>): void {
    if (!this.#has(sample.name)) return
    const { contestant, n } = this.#life
    this.#tell({ event: 'sample', sample: { ...sample, contestant, n } })
  }

  #mistake(name: Name, text: string): void {
    const { contestant, n, shape } = this.#life
    this.#tell({ event: 'mistake', name, n, shape, contestant, text })
  }
}

const NOTHING = {
  links: [],
  noLinks: [],
  vnis: [],
  noVnis: [],
  addresses: [],
  noAddresses: [],
  routes: [],
  some: false,
} as const

function post(socketPath: string, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  request({ socketPath, path, method: 'POST' }, (response) => {
    response.resume()
    response.once('end', resolve)
  })
    .once('error', reject)
    .end()
  return promise
}
