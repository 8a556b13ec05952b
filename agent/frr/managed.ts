/**
 * FRR started and kept by nodeleaf (`--frr managed`), in the router's network namespace.
 *
 * The daemons outlive the agent. Each has a shell of a few lines above it that starts it again when it dies, agent or
 * no agent; an agent that comes back finds both by their pid files and leaves them alone. A daemon starts with the
 * configuration saved last, so sessions return before anybody has diffed anything.
 */
import { spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { binaryOf, userOf } from './installation.ts'
import { daemons, ownership, sometimes } from './daemons.ts'
import { FrrError } from './frr-error.ts'
import { isRunning, pidIn } from './daemon-process.ts'
import { Memo } from './memo.ts'
import { format } from './text.ts'
import { root } from './tree.ts'
import { Vty } from './vty.ts'
import type { Block, Daemon } from './tree.ts'

export interface ManagedOptions {
  /** FRR's path space (`-N`): its sockets are in `/run/frr/NAME`. */
  readonly name: string
  /** `/run/netns/NAME`. */
  readonly netns: string
  /** Where FRR was built to keep its sockets. @default '/run/frr' */
  readonly frrRunDir?: string
}

export interface Started {
  readonly started: readonly Daemon[]
  /** Found running. */
  readonly adopted: readonly Daemon[]
}

export class ManagedFrr {
  readonly #options: ManagedOptions
  readonly #dir: string
  /** What `save` wrote last. */
  readonly #saved = new Map<Daemon, string>()
  readonly #texts = new Memo<string>()
  /** Which daemons are kept running. */
  #kept: readonly Daemon[] = daemons.filter((daemon) => !sometimes.has(daemon))

  constructor(options: ManagedOptions) {
    this.#options = options
    // Below FRR's own directory: the daemons read and write it as their own user.
    this.#dir = join(this.socketsDir, 'managed')
  }

  /** For `Frr.connect`. */
  get socketsDir(): string {
    return join(this.#options.frrRunDir ?? '/run/frr', this.#options.name)
  }

  /**
   * Starts what does not run, adopts what does; returns when all of them listen. They may be too busy to answer. A daemon
   * that only some plans need is kept once it is `also` wanted, or was kept by an earlier agent.
   * @throws FrrError `not-installed` naming the package, `not-started` naming the daemon and its log.
   */
  async start(signal?: AbortSignal, also: readonly Daemon[] = []): Promise<Started> {
    if (!existsSync(this.#options.netns)) {
      throw new FrrError('not-started', `FRR cannot start: there is no network namespace ${this.#options.netns}`)
    }
    const kept = daemons.filter(
      (daemon) => [...this.#kept, ...also].includes(daemon) || this.#runs(daemon) || this.#supervisorRuns(daemon),
    )
    const binaries = kept.map((daemon) => [daemon, binaryOf(daemon)] as const)
    this.#kept = kept
    this.#prepare()
    await this.#end(this.#former())
    const adopted = kept.filter((daemon) => this.#runs(daemon))
    for (const [daemon, binary] of binaries) {
      if (!this.#supervisorRuns(daemon)) this.#supervise(daemon, binary)
    }
    for (const daemon of kept) {
      // A connection that ends may spoil what an agent before this one has on its way, see `zebra-deaf.ts`.
      if (daemon !== 'mgmtd' || !adopted.includes(daemon)) await this.#listens(daemon, signal)
    }
    return { started: kept.filter((daemon) => !adopted.includes(daemon)), adopted }
  }

  /** Whether all daemons that are kept are there, and all that starts them again: then `start` has nothing to do. */
  get runs(): boolean {
    return this.#kept.every((daemon) => this.#runs(daemon) && this.#supervisorRuns(daemon))
  }

  /** Keeps a configuration for daemons to start with. It holds passwords: mode 0600, FRR's own user. */
  save(tree: Block): void {
    const user = userOf()
    for (const daemon of daemons) {
      const blocks = tree.body.filter((block) => ownership(block.line).includes(daemon))
      const text = blocks.length === 0 ? '' : format(root(blocks), this.#texts)
      if (this.#saved.get(daemon) === text) continue
      this.#write(this.#configFile(daemon), text, user)
      this.#saved.set(daemon, text)
    }
  }

  /** Kills a daemon, which is started again by what is above it. With SIGTERM zebra would empty the kernel first. */
  kill(daemon: Daemon): void {
    end(pidIn(this.#pidFile(daemon)), 'SIGKILL', () => this.#runs(daemon))
  }

  /** Ends the daemons and whoever restarts them. Kernel routes of BGP go with zebra. */
  async stop(): Promise<void> {
    if (!existsSync(this.#dir)) return
    writeFileSync(this.#stopFile, '')
    // zebra last: it takes the others' routes out of the kernel as they say goodbye.
    await this.#end([...this.#former(), 'bfdd', 'bgpd', 'zebra', 'mgmtd'])
    rmSync(this.socketsDir, { recursive: true, force: true })
  }

  /** Ends whoever restarts these daemons, then one daemon after the other. */
  async #end(names: readonly string[]): Promise<void> {
    for (const name of names) end(pidIn(this.#supervisorFile(name)), 'SIGKILL', () => this.#supervisorRuns(name))
    for (const name of names) {
      end(pidIn(this.#pidFile(name)), 'SIGTERM', () => this.#runs(name))
      for (let tries = 0; this.#runs(name); tries++) {
        if (tries === 250) end(pidIn(this.#pidFile(name)), 'SIGKILL', () => this.#runs(name))
        await delay(20)
      }
      rmSync(this.#supervisorFile(name), { force: true })
    }
  }

  /** Daemons that an older agent kept and this one does not need: up to 0.1.0 staticd. */
  #former(): readonly string[] {
    const kept = readdirSync(this.#dir).flatMap((file) => /^(\w+)\.supervisor\.pid$/.exec(file)?.[1] ?? [])
    return kept.filter((name) => !daemons.some((daemon) => daemon === name))
  }

  #prepare(): void {
    const user = userOf()
    for (const dir of [this.socketsDir, this.#dir, this.#etc]) {
      mkdirSync(dir, { recursive: true })
      chownSync(dir, user.uid, user.gid)
      chmodSync(dir, 0o750)
    }
    rmSync(this.#stopFile, { force: true })
    this.#saved.clear()
    for (const daemon of daemons) {
      if (!existsSync(this.#configFile(daemon))) this.#write(this.#configFile(daemon), '', user)
      // What a reboot or a crash left behind must not be taken for a daemon.
      if (!this.#runs(daemon)) rmSync(this.#pidFile(daemon), { force: true })
    }
  }

  #supervise(daemon: Daemon, binary: string): void {
    const { netns, name } = this.#options
    const command = [
      ...(readEtc.has(daemon) ? ['unshare', '-m', 'sh', '-c', inOwnEtc, this.#etc, binary] : [binary]),
      ...(readEtc.has(daemon) ? [] : [`-f${this.#configFile(daemon)}`]),
      `-N${name}`,
      '--limit-fds=8192',
      `--log=file:${this.#logFile(daemon)}`,
      '--log-level=warnings',
      ...(daemonFlags[daemon] ?? []),
    ]
    const child = spawn(
      'nsenter',
      [
        `--net=${netns}`,
        'sh',
        '-c',
        supervisor,
        `nodeleaf-${daemon}`,
        this.#stopFile,
        this.#pidFile(daemon),
        this.#logFile(daemon),
        needsZebra.has(daemon) ? this.#pidFile('zebra') : '',
        ...command,
      ],
      { detached: true, stdio: 'ignore', cwd: '/' },
    )
    child.on('error', () => undefined)
    child.unref()
    if (child.pid === undefined) throw new FrrError('not-installed', 'FRR cannot start: install util-linux (nsenter)')
    writeFileSync(this.#supervisorFile(daemon), `${child.pid}\n`)
  }

  async #listens(daemon: Daemon, signal?: AbortSignal): Promise<void> {
    for (let tries = 0; ; tries++) {
      signal?.throwIfAborted()
      const cause = await connecting(join(this.socketsDir, `${daemon}.vty`))
      if (cause === undefined || cause.code === 'busy') {
        if (this.#runs(daemon)) return
      } else if (tries > 500) {
        const message = `FRR's ${daemon} does not start; its log is ${this.#logFile(daemon)}`
        throw new FrrError('not-started', message, { cause })
      }
      await delay(20)
    }
  }

  #runs(daemon: string): boolean {
    return isRunning(pidIn(this.#pidFile(daemon)), { program: daemon, netns: this.#options.netns })
  }

  #supervisorRuns(daemon: string): boolean {
    const pid = pidIn(this.#supervisorFile(daemon))
    return isRunning(pid, { argument: `nodeleaf-${daemon}`, netns: this.#options.netns })
  }

  /** Written whole or not at all; a daemon may be starting right now. */
  #write(path: string, text: string, user: { readonly uid: number; readonly gid: number }): void {
    const draft = `${path}.new`
    writeFileSync(draft, text, { mode: 0o600 })
    chownSync(draft, user.uid, user.gid)
    renameSync(draft, path)
  }

  get #stopFile(): string {
    return join(this.#dir, 'stop')
  }

  /** What mgmtd sees as `/etc/frr`. */
  get #etc(): string {
    return join(this.#dir, 'etc')
  }

  #configFile(daemon: Daemon): string {
    return join(readEtc.has(daemon) ? this.#etc : this.#dir, `${daemon}.conf`)
  }

  #logFile(daemon: Daemon): string {
    return join(this.#dir, `${daemon}.log`)
  }

  #pidFile(daemon: string): string {
    return join(this.socketsDir, `${daemon}.pid`)
  }

  #supervisorFile(daemon: string): string {
    return join(this.#dir, `${daemon}.supervisor.pid`)
  }
}

/**
 * $1 stop file, $2 the daemon's pid file, $3 its log, $4 the pid file of the daemon it needs or nothing, then its
 * command. The log lies in memory: it is kept short. A daemon that an earlier supervisor left running is waited for
 * first; one that dies within a second is not hurried.
 */
const supervisor = `
stop=$1; pidfile=$2; log=$3; needs=$4; shift 4
runs() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
while runs "$pidfile"; do sleep 1; done
while [ ! -e "$stop" ]; do
  began=$(date +%s)
  [ "$(cat "$log" 2>/dev/null | wc -c)" -lt 1000000 ] || mv "$log" "$log.1"
  tries=0
  while [ -n "$needs" ] && [ $tries -lt 200 ] && ! runs "$needs"; do sleep 0.05; tries=$((tries + 1)); done
  "$@" </dev/null >/dev/null 2>&1
  [ "$(date +%s)" -gt "$((began + 1))" ] || sleep 1
done
`

/**
 * A bgpd that never reached zebra takes sessions without knowing their interface, and then drops every IPv6 route that
 * comes with a link-local next hop for as long as the session lasts (bgpd/bgp_zebra.c, bgp_zebra_nexthop_set with no
 * zclient_num_connects; bgpd/bgp_attr.c, bgp_mp_reach_parse). zebra writes its pid file after it listens.
 */
const needsZebra: ReadonlySet<Daemon> = new Set(['bgpd'])

/**
 * mgmtd has no option for a configuration file, and `/etc/frr` may be missing or read-only: it gets a mount of its own
 * there. (Its path of it knows no path space: lib/vty.c, mgmt_vty_read_configs.) Without it mgmtd starts empty, and the
 * agent enters what it holds.
 */
const readEtc: ReadonlySet<Daemon> = new Set(['mgmtd'])
const inOwnEtc = 'mount --bind "$0" /etc/frr 2>/dev/null; exec "$@"'

/**
 * zebra keeps the routes of an earlier life for 60 s, so that bgpd can confirm them; its netlink buffer holds the
 * bursts of thousands of links.
 */
const daemonFlags: Readonly<Partial<Record<Daemon, readonly string[]>>> = {
  zebra: ['-K', '60', '-s', '90000000'],
}

/** Why nobody takes a connection there. */
async function connecting(path: string): Promise<FrrError | undefined> {
  try {
    const vty = await Vty.open(path)
    vty.close()
    return undefined
  } catch (error) {
    if (error instanceof FrrError) return error
    throw error
  }
}

function end(pid: number | undefined, signal: NodeJS.Signals, still: () => boolean): void {
  if (pid === undefined || !still()) return
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself in between.
  }
}
