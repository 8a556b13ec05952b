/** The phases of the simulation, one after the other: what is done, what is waited for, and what must hold. */
import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel, SERVICE, type Cluster } from './cluster.ts'
import { nowMs, type CrowdCounts } from './crowd-messages.ts'
import type { Crowds } from './crowds.ts'
import { nodeName, segment, vni } from './fabric.ts'
import { latencyOf, writesOf, type Measurement } from './measurement.ts'
import type { SimulationOptions } from './options.ts'

/** Agents that compute revisions when there are many: one in so many. */
const CHECK_EVERY = 20
const CHECK_ALL_UP_TO = 200
const POLL_MS = 50
/** The controller answers with its metrics: not so often that this is what is measured. */
const LOOK_MS = 250
/** So long nothing more must come. */
const QUIET_MS = { quick: 700, full: 3000 } as const
/** Without any progress for so long it is over: a busy machine may take its time. */
const STALLED_MS = 120_000
const CHATTER_MS = { quick: 500, full: 3000 } as const

export class Simulation {
  readonly measurements: Measurement[] = []
  /** What does not hold. */
  readonly mistakes: string[] = []
  readonly #options: SimulationOptions
  readonly #cluster: Cluster
  readonly #crowds: Crowds
  readonly #say: (text: string) => void
  readonly #quietMs: number
  readonly #chatterMs: number

  constructor(options: SimulationOptions, cluster: Cluster, crowds: Crowds, say: (text: string) => void) {
    this.#options = options
    this.#cluster = cluster
    this.#crowds = crowds
    this.#say = say
    const size = options.quick ? 'quick' : 'full'
    this.#quietMs = QUIET_MS[size]
    this.#chatterMs = CHATTER_MS[size]
  }

  async run(): Promise<void> {
    await this.#coldStart()
    await this.#settle('statuses after the start')
    const { repeats, phases } = this.#options
    for (let at = 0; at < repeats && phases.has('one'); at++) {
      await this.#oneOnAll(100_000 + at)
      await this.#settle()
    }
    if (phases.has('few')) await this.#threeNodes()
    if (phases.has('burst')) {
      await this.#burst()
      await this.#settle('statuses after the burst')
    }
    if (phases.has('chatter')) await this.#chatter()
    if (!phases.has('restart')) return
    await this.#restart()
    await this.#settle('statuses after the restart')
    await this.#oneOnAll(110_000)
  }

  /** The controller starts with nothing and all agents dial, as after a power cut. */
  async #coldStart(): Promise<void> {
    const { agents, vnis } = this.#options
    const recruits = await this.#cluster.recruits()
    await this.#cluster.requests()
    await this.#cluster.startController()
    const started = nowMs()
    const ca = await this.#cluster.ca()
    const [port] = this.#cluster.ports
    await this.#crowds.dial({
      controller: `127.0.0.1:${port}`,
      ca,
      serverName: SERVICE,
      agents: recruits,
      vnis,
      checkEvery: agents <= CHECK_ALL_UP_TO ? 1 : CHECK_EVERY,
      spreadMs: agents,
    })
    await this.#measure('cold start: all agents have their plans', agents, '', async () => started, 0)
  }

  async #oneOnAll(number: number): Promise<void> {
    const { agents } = this.#options
    const counts = await this.#measure('one VNI on all nodes', agents, `segment/${number}`, () => this.#add(number))
    this.#expect(counts.plans === agents, `one VNI on all nodes: ${counts.plans} plans for ${agents} agents`)
    this.#expect(counts.pieces === agents, `one VNI on all nodes: ${counts.pieces} pieces for ${agents} agents`)
  }

  async #threeNodes(): Promise<void> {
    const few = [0, 1, 2].map(nodeName)
    const counts = await this.#measure('a VNI on 3 nodes', 3, 'segment/120000', () => this.#add(120_000, few))
    this.#expect(counts.plans === 3 && counts.touched === 3, `a VNI on 3 nodes: ${counts.plans} plans`)
  }

  /** Edits of L2VNIs one after the other, a few at a time, as fast as the API server takes them; then one VNI more. */
  async #burst(): Promise<void> {
    const { agents, edits, vnis } = this.#options
    const segments = Array.from({ length: vnis }, (_, at) => at).filter((at) => at % 10 !== 0)
    let tookMs = 0
    const change = async (): Promise<number> => {
      const start = nowMs()
      await inParallel(edits, async (at) => {
        const round = Math.floor(at / segments.length)
        await this.#cluster.client.apply(vni(segments[at % segments.length] ?? 1, 1400 + round))
      })
      tookMs = nowMs() - start
      return this.#add(130_000)
    }
    const counts = await this.#measure(
      `${edits} edits in a row`,
      agents,
      'segment/130000',
      change,
      this.#quietMs,
      () => {
        return `edits took ${(tookMs / 1000).toFixed(1)} s; latency of the last one`
      },
    )
    // Ever more seldom, and every 10 seconds at the least: distribution/delivery.ts.
    const most = 8 + tookMs / 10_000
    this.#expect(counts.mostPlans <= most, `${edits} edits came as ${counts.mostPlans} plans`)
  }

  /** Every agent has news every few seconds: what is written stays bounded. */
  async #chatter(): Promise<void> {
    const { chatterSeconds, agents } = this.#options
    const phase = `all report every ${this.#chatterMs / 1000} s`
    const start = await this.#begin('')
    await this.#crowds.chatter(this.#chatterMs)
    await sleep(chatterSeconds * 1000)
    await this.#crowds.chatter(0)
    const counts = await this.#crowds.look()
    const note = `${(counts.reports / chatterSeconds).toFixed(0)} reports/s, ${(counts.details / chatterSeconds).toFixed(0)} details/s`
    const measured = await this.#end(phase, start, counts, note)
    this.#expect(counts.plans === 0, `reports made ${counts.plans} plans`)
    // The token bucket of RouterNodes, a burst of it, and the Lease.
    const bound = 60 + 100 / chatterSeconds
    this.#expect(
      measured.writesPerSecond <= bound,
      `${measured.writesPerSecond.toFixed(0)} writes/s for ${agents} agents that report`,
    )
  }

  /** Killed and started again: nobody is sent anything. */
  async #restart(): Promise<void> {
    const { agents } = this.#options
    // A profile is written at the end, so then it must be let end.
    await this.#cluster.controller.end(this.#options.profile === undefined ? 'SIGKILL' : 'SIGTERM')
    await this.#crowds.count()
    await this.#cluster.requests()
    const start = { at: nowMs(), cpu: 0 }
    await this.#cluster.startController()
    let led: number | undefined
    const settled = await this.#progress(agents, LOOK_MS, async () => {
      const metrics = await this.#cluster.metrics().catch(() => new Map<string, number>())
      const now = (name: string): number => metrics.get(name) ?? 0
      if (led === undefined && now('nodeleaf_controller_leads') === 1) led = nowMs()
      return Math.min(now('nodeleaf_nodes_settled'), now('nodeleaf_agents_connected'))
    })
    const seconds = (nowMs() - start.at) / 1000
    await sleep(this.#quietMs)
    const counts = await this.#crowds.look()
    const ready = `leads after ${(((led ?? NaN) - start.at) / 1000).toFixed(1)} s, ${counts.dials} dials`
    await this.#end('restart: all agents settled', start, counts, ready, seconds)
    this.#expect(settled, `after a restart not all of ${agents} agents settled`)
    this.#expect(counts.plans === 0, `after a restart ${counts.plans} plans were sent: ${counts.pieces} pieces`)
    this.#expect(counts.connected === agents, `after a restart ${counts.connected} of ${agents} agents are there`)
  }

  /** Waits until there is nothing more to write, within a bound; a phase of its own when it has a name. */
  async #settle(phase?: string): Promise<void> {
    const { settleSeconds } = this.#options
    const start = phase === undefined ? undefined : await this.#begin('')
    const end = nowMs() + settleSeconds * 1000
    let quiet = 0
    // Agents report within half a second; what they have to say then waits to be written.
    while (nowMs() < end && quiet < 5) {
      await sleep(300)
      quiet = (await this.#cluster.metric('nodeleaf_writes_waiting')) === 0 ? quiet + 1 : 0
    }
    if (phase === undefined || start === undefined) return
    const waiting = await this.#cluster.metric('nodeleaf_writes_waiting')
    await this.#end(phase, start, await this.#crowds.look(), waiting === 0 ? '' : `${waiting} writes still wait`)
  }

  async #add(number: number, nodes?: readonly string[]): Promise<number> {
    const at = nowMs()
    await this.#cluster.client.apply(segment(number, nodes))
    return at
  }

  async #begin(marker: string): Promise<{ readonly at: number; readonly cpu: number }> {
    await this.#crowds.count(marker)
    await this.#cluster.requests()
    const { controller } = this.#cluster
    controller.resetPeak()
    await this.#cluster.metrics()
    this.#cluster.stallMs()
    return { at: nowMs(), cpu: controller.cost().cpu }
  }

  /** `change` gives when it began to be one; then `agents` must acknowledge the piece `marker`, and nobody more. */
  async #measure(
    phase: string,
    agents: number,
    marker: string,
    change: () => Promise<number>,
    quietMs = this.#quietMs,
    note: () => string = () => '',
  ): Promise<CrowdCounts> {
    const cold = marker === ''
    const start = cold ? { at: await change(), cpu: 0 } : await this.#begin(marker)
    const changedAt = cold ? start.at : await change()
    await this.#progress(agents, POLL_MS, async () => (await this.#crowds.look()).marked)
    const seconds = (nowMs() - start.at) / 1000
    await sleep(quietMs)
    const counts = await this.#crowds.look(true)
    const latency = latencyOf(counts.times.map((at) => at - changedAt))
    await this.#end(phase, start, counts, note(), seconds, latency)
    this.#expect(counts.marked === agents, `${phase}: ${counts.marked} agents have it, not ${agents}`)
    return counts
  }

  /** Waits until `look` comes to `all`; false when it has not come to more than before for a long time. */
  async #progress(all: number, everyMs: number, look: () => Promise<number>): Promise<boolean> {
    let [most, at] = [-1, nowMs()]
    for (;;) {
      const now = await look()
      if (now >= all) return true
      if (now > most) [most, at] = [now, nowMs()]
      else if (nowMs() - at > STALLED_MS || !this.#cluster.controller.running) return false
      await sleep(everyMs)
    }
  }

  async #end(
    phase: string,
    start: { readonly at: number; readonly cpu: number },
    counts: CrowdCounts,
    note: string,
    seconds = (nowMs() - start.at) / 1000,
    latency?: Measurement['latency'],
  ): Promise<Measurement> {
    const requests = await this.#cluster.requests()
    const { rss, peak, cpu } = this.#cluster.controller.cost()
    const metrics = await this.#cluster.metrics()
    const mebibytes = (name: string): number => Math.round((metrics.get(name) ?? 0) / 2 ** 20)
    const whole = (nowMs() - start.at) / 1000
    const lost = this.#cluster.termsLost()
    const said = [note, ...(lost > 0 ? [`Lease lost ${lost} times so far`] : [])]
      .filter((each) => each !== '')
      .join(', ')
    const measured: Measurement = {
      phase,
      seconds,
      ...(latency === undefined ? {} : { latency }),
      plans: counts.plans,
      agentsTold: counts.touched,
      mostPlans: counts.mostPlans,
      pieces: counts.pieces + counts.removed,
      bytes: counts.bytes,
      rss,
      peak,
      heap: mebibytes('nodejs_heap_size_used_bytes'),
      committed: mebibytes('nodejs_heap_size_total_bytes'),
      external: mebibytes('nodejs_external_memory_bytes'),
      cpu: cpu - start.cpu,
      stallMs: this.#cluster.stallMs(),
      requests,
      writesPerSecond: writesOf(requests) / whole,
      load: loadavg()[0] ?? 0,
      ...(said === '' ? {} : { note: said }),
    }
    this.measurements.push(measured)
    this.mistakes.push(...counts.mistakes)
    const ends = Object.entries(counts.ends).map(([why, count]) => `${count} streams ended (${why})`)
    this.#say(
      [
        `${phase}: ${seconds.toFixed(1)} s`,
        ...(latency ? [`p50 ${latency.p50} p99 ${latency.p99} max ${latency.max} ms`] : []),
        `${counts.plans} plans, RSS ${rss.toFixed(0)} (peak ${peak.toFixed(0)}, heap ${measured.heap} of ${measured.committed}, external ${measured.external}) MiB, CPU ${measured.cpu.toFixed(1)} s, longest stall ${measured.stallMs.toFixed(0)} ms`,
        `${measured.writesPerSecond.toFixed(0)} writes/s`,
        ...(said === '' ? [] : [said]),
        ...ends,
      ].join(', '),
    )
    return measured
  }

  #expect(holds: boolean, otherwise: string): void {
    if (!holds) this.mistakes.push(otherwise)
  }
}
