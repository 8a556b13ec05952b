/** A running FRR: reads its configuration and state, enters commands. Everything goes over the vty sockets. */
import { EventEmitter } from 'node:events'
import { capabilities } from './capabilities.ts'
import { ConfigWatch } from './config-watch.ts'
import { daemons, holders, measured, sometimes } from './daemons.ts'
import { FrrError } from './frr-error.ts'
import { Session } from './config-session.ts'
import { Hearing } from './hearing.ts'
import { Link } from './link.ts'
import { bfdPeersOf, bridgeOf, downOf, evpnVnisOf, sessionsOf, vniCountOf, vrfVnisOf } from './state.ts'
import { takenEffect, undoPlan } from './refusal.ts'
import { status } from './vty.ts'
import type { Capabilities } from './capabilities.ts'
import type { Ownership } from './daemons.ts'
import type { KnownTree } from './known-tree.ts'
import type { CommandResult } from './refusal.ts'
import type { BfdPeer, BgpSession, EvpnVni, VrfVni } from './state.ts'
import type { Block, Command, Daemon } from './tree.ts'

export interface FrrOptions {
  /** The directory that holds `bgpd.vty` and its like: `/run/frr/NAME`. */
  readonly socketsDir: string
  /** `managed`: the whole configuration is nodeleaf's. `external`: only what `owned.ts` says. @default 'external' */
  readonly mode?: 'managed' | 'external'
  /** Ends the attempts to connect, and to come back after a daemon went away. */
  readonly signal?: AbortSignal
  /** Called when a daemon took a connection and does not answer on it for a while; it is waited for. */
  readonly slow?: (daemon: Daemon) => void
  /** Makes a daemon run that is needed from now on. Absent: whoever runs FRR does, or does not. */
  readonly start?: ((daemon: Daemon) => Promise<void>) | undefined
  /** How long a daemon may be silent while it owes an answer, before it is late. @default 60000 */
  readonly answerTimeoutMs?: number
}

export interface ApplyOptions {
  /** What runs when every command is taken, and the age of what was known when that was found out: then it is known. */
  readonly becomes?: { readonly tree: Block; readonly age: number } | undefined
  /** Called with how many commands were entered since the last call. */
  readonly done?: ((count: number) => void) | undefined
}

interface FrrEvents {
  /** A daemon's socket closed: it died or is being restarted. Operations fail until `connected`. */
  disconnected: [daemon: Daemon]
  /**
   * All daemons that are needed are reachable again, and zebra has what mgmtd has, or was waited for in vain; the
   * configuration of the one that went is what it started with. Or one that was late has answered all that it was asked.
   */
  connected: []
  /** mgmtd refused a line, does not answer, or zebra did not take what mgmtd took: zebra may not listen to it. */
  doubtful: []
}

export class Frr extends EventEmitter<FrrEvents> {
  /** Lines entered in configuration mode since `connect`, undo included: an unchanged plan leaves it as it is. */
  commands = 0
  readonly #options: FrrOptions
  readonly #links = new Map<Daemon, Link>()
  /** Without these FRR counts as gone: what every plan needs, and what `need` was told. */
  readonly #needed = new Set(daemons.filter((daemon) => !sometimes.has(daemon)))
  #version = ''
  #ownership: Ownership = () => []
  readonly #hearing: Hearing
  #connected = false
  #comingBack = false
  readonly #closed = new AbortController()
  /** Closed, or not wanted any more. */
  readonly #ended: AbortSignal
  #last: Promise<unknown> = Promise.resolve()
  readonly #config: ConfigWatch

  private constructor(options: FrrOptions) {
    super()
    this.#options = options
    this.#ended = AbortSignal.any([this.#closed.signal, ...(options.signal === undefined ? [] : [options.signal])])
    this.#hearing = new Hearing(
      (daemon, line) => this.#show(daemon, line),
      () => this.late,
    )
    this.#config = new ConfigWatch({
      mode: options.mode ?? 'external',
      ownership: (line) => this.#ownership(line),
      print: (how) => this.#print(how),
    })
  }

  /**
   * Connects to all daemons that are needed and those of the others that run, checks who takes which line, and waits until mgmtd's lines reach zebra, or a bounded time.
   * @throws FrrError `unreachable`, `busy`, or `unsupported` when no daemon takes a line that nodeleaf needs.
   */
  static async connect(options: FrrOptions): Promise<Frr> {
    const frr = new Frr(options)
    const close = () => frr.close()
    options.signal?.addEventListener('abort', close)
    try {
      await frr.#connect()
    } catch (error) {
      frr.close()
      throw error
    } finally {
      options.signal?.removeEventListener('abort', close)
    }
    return frr
  }

  /** As FRR prints it: `10.3`. */
  get version(): string {
    return this.#version
  }

  get capabilities(): Capabilities {
    return capabilities(this.#version)
  }

  /** Which daemon takes which line in this FRR; `diff` wants it. */
  get ownership(): Ownership {
    return this.#ownership
  }

  /** False from `disconnected` to `connected`. */
  get connected(): boolean {
    return this.#connected
  }

  /**
   * Starts and connects a daemon that not every plan needs, unless it is there; it stays needed.
   * @throws FrrError `not-installed`, `not-started`, `unreachable`, `disconnected` or `busy`
   */
  async need(daemon: Daemon): Promise<void> {
    if (this.#needed.has(daemon)) return
    if (!this.#links.has(daemon)) {
      await this.#options.start?.(daemon)
      await this.#open(daemon)
      await this.#probe()
    }
    this.#needed.add(daemon)
  }

  /** A daemon that runs, and owes answers for so long that it is not asked until they have come. */
  get late(): Daemon | undefined {
    return daemons.find((daemon) => this.#links.get(daemon)?.late === true)
  }

  /** What FRR's configuration is known to be; who compares it with what is wanted keeps it up to date. */
  get known(): KnownTree {
    return this.#config.known
  }

  /** The configuration that nodeleaf owns, as FRR has it now. */
  running(): Promise<Block> {
    return this.#config.running()
  }

  /**
   * Whether somebody else changed FRR's configuration since it became known, or since the last look when it is not known.
   * It is not known any more then. Not to be told from own changes while commands are entered: false.
   */
  drifted(): Promise<boolean> {
    return this.#config.drifted()
  }

  /**
   * Enters commands in order. When FRR refuses a line, what the same resource (of the Underlay: the same neighbour)
   * had entered before in this call is taken back; everything else stays and goes on.
   * @returns one result per command, in order.
   * @throws FrrError `disconnected` when a daemon goes away in between, `busy` when it is late: read `running` and diff again.
   */
  apply(
    commands: readonly Command[],
    signal?: AbortSignal,
    options: ApplyOptions = {},
  ): Promise<readonly CommandResult[]> {
    this.#config.entering++
    const applied = this.#last
      .then(() => this.#apply(commands, signal, options))
      .finally(() => {
        this.#config.entering--
        if (this.late === 'mgmtd') this.doubt()
      })
    this.#last = applied.catch(() => undefined)
    return applied
  }

  async sessions(): Promise<readonly BgpSession[]> {
    return sessionsOf(await this.#json('bgpd', 'show bgp vrf all summary json'), await this.bfdPeers())
  }

  /**
   * Another text whenever a session comes up or goes down: which of them are down. It costs bgpd much less than the
   * whole summary, and hardly anything when all are up.
   */
  async down(): Promise<string> {
    return downOf(await this.#json('bgpd', 'show bgp vrf all summary failed json'))
  }

  /** VNIs with their VXLAN device, VRF and remote VTEPs as zebra sees them: all of them, or which of these it knows. */
  async evpnVnis(only?: readonly number[]): Promise<readonly EvpnVni[]> {
    if (only === undefined) return evpnVnisOf(await this.#json('zebra', 'show evpn vni detail json'))
    const told = await Promise.all(only.map((vni) => this.#json('zebra', `show evpn vni ${vni} json`)))
    return evpnVnisOf(told).filter(({ vni }) => vni > 0)
  }

  /** Makes it known that zebra did not take what mgmtd took. */
  doubt(): void {
    this.emit('doubtful')
  }

  /** What says that zebra does not listen to mgmtd though it answers here, see `zebra-deaf.ts`; undefined: nothing. */
  async signOfDeafness(): Promise<string | undefined> {
    return this.#mgmtdTellsZebra ? this.#hearing.signOfDeafness() : undefined
  }

  /** How many VNIs zebra has: the same question for a thousand of them as for one. */
  async vniCount(): Promise<number | undefined> {
    return vniCountOf(await this.#json('zebra', 'show evpn json'))
  }

  /** The bridge of which a link is a port, as zebra sees it; one of the same name that was there before is another. */
  async bridgeOf(link: string, index: number): Promise<string | undefined> {
    return bridgeOf(await this.#json('zebra', `show interface ${link} json`), index)
  }

  /** Which VRF (of all, or of these) has which L3VNI: complete as soon as zebra knows, before the links are up. */
  async vrfVnis(only?: readonly string[]): Promise<readonly VrfVni[]> {
    if (only === undefined) return vrfVnisOf(await this.#json('zebra', 'show vrf vni json'))
    const told = await Promise.all(only.map((vrf) => this.#json('zebra', `show vrf ${vrf} vni json`)))
    return told.flatMap(vrfVnisOf)
  }

  async bfdPeers(): Promise<readonly BfdPeer[]> {
    if (!this.#links.has('bfdd') && !this.#needed.has('bfdd')) return []
    return bfdPeersOf(await this.#json('bfdd', 'show bfd peers json'))
  }

  close(): void {
    this.#closed.abort()
    this.#connected = false
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  async #apply(
    commands: readonly Command[],
    signal: AbortSignal | undefined,
    { becomes, done }: ApplyOptions,
  ): Promise<readonly CommandResult[]> {
    const sure = becomes?.age === this.known.age
    this.known.forget()
    const { age } = this.known
    const results: CommandResult[] = []
    for (const batch of byDaemon(commands)) {
      signal?.throwIfAborted()
      results.push(...(await this.#enter(batch, done)))
    }
    if (results.some(({ command, outcome }) => outcome !== 'ok' && command.daemons.includes('mgmtd'))) {
      this.doubt()
    }
    if (becomes && sure && results.every(({ outcome }) => outcome === 'ok')) this.known.know(becomes.tree, age)
    const judged = await this.#judged(results)
    const undone = new Map<Command, CommandResult>()
    for (const batch of byDaemon(undoPlan(judged))) {
      const outcomes = await this.#takeBack(batch)
      for (const [at, command] of batch.entries()) {
        const text = outcomes[at]
        undone.set(command, { command, outcome: 'undone', text: text ?? '' })
      }
    }
    return judged.map((result) => undone.get(result.command) ?? result)
  }

  async #enter(batch: readonly Command[], done?: (count: number) => void): Promise<readonly CommandResult[]> {
    return this.#configure(batch[0]?.daemons[0], (session) => session.enter(batch), done)
  }

  async #takeBack(batch: readonly Command[]): Promise<readonly string[]> {
    return this.#configure(batch[0]?.daemons[0], (session) => session.takeBack(batch))
  }

  async #configure<T>(
    daemon: Daemon | undefined,
    work: (session: Session) => Promise<T>,
    done?: (count: number) => void,
  ): Promise<T> {
    const link = daemon && this.#links.get(daemon)
    if (!link) throw new FrrError('disconnected', `FRR's ${daemon ?? 'owner of the line'} is not running`)
    const count = () => {
      this.commands++
      done?.(1)
    }
    const instances = this.known.tree?.body.flatMap(({ line }) => (line.startsWith('router bgp ') ? [line] : []))
    return link.alone(async () => {
      await using session = await Session.begin(link.config, daemon, count, instances)
      try {
        return await work(session)
      } finally {
        if (session.commitFailed) this.doubt()
      }
    })
  }

  /** A warning may mean "already so": what runs afterwards decides. */
  async #judged(results: readonly CommandResult[]): Promise<readonly CommandResult[]> {
    if (!results.some(({ outcome }) => outcome === 'warned')) return results
    const running = await this.running()
    return results.map((result) =>
      result.outcome === 'warned'
        ? { ...result, outcome: takenEffect(result.command, running) ? ('ok' as const) : ('refused' as const) }
        : result,
    )
  }

  /** What the daemons print as their configuration, or a digest of it. */
  async #print(how: 'send' | 'digest'): Promise<ReadonlyMap<Daemon, string>> {
    const asked = holders(this.#ownership).map(
      async (daemon) => [daemon, await this.#show(daemon, 'show running-config', how)] as const,
    )
    return new Map(await Promise.all(asked))
  }

  async #show(daemon: Daemon, line: string, how: 'send' | 'digest' = 'send'): Promise<string> {
    const link = this.#links.get(daemon)
    if (!link) throw new FrrError('disconnected', `FRR's ${daemon} is not running`)
    const answer = await link.alone(() => link.show[how](line))
    if (answer.status !== status.success && answer.status !== status.warning) {
      throw new FrrError('unexpected', `FRR's ${daemon} refused "${line}": ${answer.text}`)
    }
    return answer.text
  }

  async #json(daemon: Daemon, line: string): Promise<unknown> {
    const text = await this.#show(daemon, line)
    if (text === '') return {}
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new FrrError('unexpected', `FRR's ${daemon} answered "${line}" with something that is not JSON`, { cause })
    }
  }

  async #connect(): Promise<void> {
    for (const daemon of daemons) {
      try {
        await this.#open(daemon)
      } catch (error) {
        const mayBeAbsent = !this.#needed.has(daemon) && error instanceof FrrError && error.code === 'unreachable'
        if (!mayBeAbsent) throw error
      }
    }
    await this.#probe()
    if (this.#mgmtdTellsZebra) await this.#hearing.whole(this.#ended)
    this.#connected = [...this.#needed].every((daemon) => this.#links.has(daemon))
  }

  async #open(daemon: Daemon): Promise<void> {
    if (this.#links.has(daemon)) return
    const { socketsDir, slow, answerTimeoutMs } = this.#options
    const link = await Link.open(`${socketsDir}/${daemon}.vty`, {
      signal: this.#ended,
      slow: () => slow?.(daemon),
      answerTimeoutMs,
      single: daemon === 'mgmtd',
    })
    // Somebody else may have been opening it.
    if (this.#links.has(daemon)) return link.close()
    this.#links.set(daemon, link)
    link.whenClosed(() => this.#lost(daemon, link))
    link.whenCaughtUp(() => this.#caughtUp())
  }

  async #probe(): Promise<void> {
    const version = /^FRRouting (\S+)/.exec(await this.#show('bgpd', 'show version'))?.[1]
    if (version === undefined) throw new FrrError('unexpected', 'FRR does not tell its version')
    const lists = new Map<Daemon, string>()
    for (const daemon of this.#links.keys()) {
      lists.set(daemon, await this.#configure(daemon, (session) => session.list()))
    }
    const { ownership, missing } = measured(lists)
    if (missing.length > 0) {
      throw new FrrError('unsupported', `No daemon of FRR ${version} takes lines like ${missing.join(', ')}`)
    }
    this.#version = version
    this.#ownership = ownership
    this.#config.reset()
  }

  /** Whether lines for zebra go to mgmtd. */
  get #mgmtdTellsZebra(): boolean {
    return this.#ownership('vrf x').includes('mgmtd')
  }

  #lost(daemon: Daemon, link: Link): void {
    if (this.#closed.signal.aborted || this.#links.get(daemon) !== link) return
    this.#links.delete(daemon)
    this.#connected = false
    this.known.forget()
    link.close()
    this.emit('disconnected', daemon)
    if (!this.#comingBack) void this.#comeBack()
  }

  /** What was entered while nobody waited for the answer is there, or not. */
  #caughtUp(): void {
    this.known.forget()
    if (this.connected) this.emit('connected')
  }

  async #comeBack(): Promise<void> {
    this.#comingBack = true
    for (let wait = 50; !this.#ended.aborted; wait = Math.min(wait * 2, 1000)) {
      try {
        await this.#connect()
        if (!this.connected) continue
        break
      } catch {
        // Not yet: whoever supervises the daemons says why.
        await new Promise((resolve) => setTimeout(resolve, wait).unref())
      }
    }
    this.#comingBack = false
    if (this.connected) this.emit('connected')
  }
}

/** Runs of commands for the same daemon, in order. */
function byDaemon(commands: readonly Command[]): readonly (readonly Command[])[] {
  const runs: Command[][] = []
  for (const command of commands) {
    const run = runs.at(-1)
    if (run?.[0] && run[0].daemons.join() === command.daemons.join()) run.push(command)
    else runs.push([command])
  }
  return runs
}
