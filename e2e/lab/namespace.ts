/** A network namespace of the lab: running programs in it, pinging from it, looking at it. */
import { attempt, run, type Outcome, type RunOptions } from './command.ts'
import { ping, startPinger, type Pinger, type PingOptions, type PingResult } from './pinger.ts'
import { snapshotOf, type Snapshot } from './snapshot.ts'

/** What `ip -j` prints: members differ from one object to the next. */
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any

export class Namespace {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  /** The words that make a program run in here; the mount namespace stays the caller's. */
  argv(...command: string[]): string[] {
    return ['nsenter', `--net=/run/netns/${this.name}`, ...command]
  }

  /** Runs a program that must succeed and gives what it printed: `exec('ip', 'link')`. @throws CommandError */
  exec(...command: string[]): Promise<string> {
    return run(this.argv(...command))
  }

  /** Runs a program to its end, whatever that is. */
  attempt(command: readonly string[], options?: RunOptions): Promise<Outcome> {
    return attempt(this.argv(...command), options)
  }

  /** Runs lines of a shell: several commands for the price of one start. @throws CommandError */
  shell(script: string): Promise<string> {
    return run(this.argv('sh', '-eu'), { input: script })
  }

  /** `ip` commands, one a line, in one process: `ip('link add x type dummy', 'link set x up')`. */
  async ip(...commands: string[]): Promise<void> {
    await run(this.argv('ip', '-batch', '-'), { input: `${commands.join('\n')}\n` })
  }

  /** `ip -d -j ARGS`, parsed: `show('link', 'show', 'dev', 'eth1')`. */
  async show(...args: string[]): Promise<Json[]> {
    const text = await this.exec('ip', '-d', '-j', ...args)
    return text.trim() === '' ? [] : (JSON.parse(text) as Json[])
  }

  /** The link of that name, or undefined. */
  async link(name: string): Promise<Json | undefined> {
    return (await this.show('link')).find((link: Json) => link.ifname === name)
  }

  /** `bridge -d -j ARGS`, parsed. */
  async bridge(...args: string[]): Promise<Json[]> {
    const text = await this.exec('bridge', '-d', '-j', ...args)
    return text.trim() === '' ? [] : (JSON.parse(text) as Json[])
  }

  /** Routes of a table (`main`, a number, or `vrf NAME`), both families. */
  async routes(table = 'main'): Promise<Json[]> {
    const where = table.startsWith('vrf ') ? table.split(' ') : ['table', table]
    return [
      ...(await this.show('-4', 'route', 'show', ...where)),
      ...(await this.show('-6', 'route', 'show', ...where)),
    ]
  }

  ping(address: string, options?: PingOptions): Promise<PingResult> {
    return ping(this.name, address, options)
  }

  /** True when one of `tries` packets (default 1) is answered. */
  async reaches(address: string, options?: PingOptions): Promise<boolean> {
    return (await this.ping(address, options)).received > 0
  }

  /** A ping that goes on until `stop`, which tells how many packets were lost. */
  pinger(address: string, options?: PingOptions): Pinger {
    return startPinger(this.name, address, options)
  }

  /** Links, addresses, routes and rules, in a form that can be compared. */
  snapshot(): Promise<Snapshot> {
    return snapshotOf(this.name)
  }
}
