/** One stay in a daemon's configuration mode: enters lines in their blocks and knows where it stands. */
import { setTimeout as delay } from 'node:timers/promises'
import { FrrError } from './frr-error.ts'
import { commitsOf, instancesFrom, makesInstance, opensBlock, removesInstance } from './together.ts'
import { redacted } from './text.ts'
import { closingOf } from './tree.ts'
import { status } from './vty.ts'
import type { CommandResult } from './refusal.ts'
import type { Command, Daemon } from './tree.ts'
import type { Answer, Vty } from './vty.ts'

export class Session {
  /** A commit of lines that were all taken was refused. They may have been taken one by one since. */
  commitFailed = false
  readonly #vty: Vty
  readonly #daemon: Daemon
  readonly #count: () => void
  #at: readonly string[] = []
  /** A refused line may have moved us: FRR also tries it in the blocks around (lib/command.c, cmd_execute_command). */
  #lost = false
  /** BGP instances that are there for sure. */
  readonly #instances: Set<string>
  /** Configuration mode was entered. Before it only commands to look are known, so what is sent ahead does nothing there. */
  readonly #opened: Promise<void>

  private constructor(vty: Vty, daemon: Daemon, count: () => void, instances: Iterable<string>) {
    this.#vty = vty
    this.#daemon = daemon
    this.#count = count
    this.#instances = new Set(instances)
    this.#opened = this.#open('configure terminal')
    this.#opened.catch(() => undefined)
  }

  /** @param count called for every command that is entered. @param instances `router bgp` lines known to be there. */
  static async begin(vty: Vty, daemon: Daemon, count: () => void, instances: Iterable<string> = []): Promise<Session> {
    const session = new Session(vty, daemon, count, instances)
    if (daemon === 'mgmtd') await session.#opened
    return session
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A daemon that went away has told so already.
    if (this.#vty.closed) return
    const ended = this.#vty.send('end').catch(() => undefined)
    if (this.#daemon === 'mgmtd') await ended
  }

  /** The commands that configuration mode knows. */
  async list(): Promise<string> {
    await this.#opened
    return (await this.#vty.send('list')).text
  }

  /** Enters commands in order; what a refusal means for the others is the caller's decision. */
  async enter(commands: readonly Command[]): Promise<readonly CommandResult[]> {
    if (this.#daemon !== 'mgmtd') {
      const [results] = await Promise.all([this.#pipelined(commands), this.#opened])
      return results
    }
    const results: CommandResult[] = []
    for (const commit of commitsOf(commands)) {
      results.push(...((await this.#transaction(commit)) ?? (await this.#oneByOne(commit))))
    }
    return results
  }

  /** Enters the inverse of each; yields FRR's text where it refused, '' where not. */
  async takeBack(commands: readonly Command[]): Promise<readonly string[]> {
    await this.#opened
    const texts: string[] = []
    for (const command of commands) texts.push(await this.#takeBackOne(command))
    return texts
  }

  /**
   * Sends lines ahead of the answers. A line that makes a block is waited for: what follows would else be entered in
   * another one. Instances that are there and address families, which always are, can be entered without waiting.
   */
  async #pipelined(commands: readonly Command[]): Promise<readonly CommandResult[]> {
    const results: Promise<CommandResult>[] = []
    try {
      await this.#sendAhead(commands, results)
      return await Promise.all(results)
    } finally {
      // A daemon that goes away fails all that it was sent.
      await Promise.allSettled(results)
    }
  }

  async #sendAhead(commands: readonly Command[], results: Promise<CommandResult>[]): Promise<void> {
    /** What went wrong on the way to where we stand. */
    let way: Promise<string | undefined> = Promise.resolve(undefined)
    let made: ReadonlyMap<Command, CommandResult> = new Map()
    for (const [at, command] of commands.entries()) {
      const before = commands[at - 1]
      // A removal may have to be repeated: it must not happen in a block that was entered meanwhile.
      if (before !== undefined && removesInstance(before) && !removesInstance(command)) await Promise.all(results)
      if (makesInstance(command)) {
        if (!made.has(command)) {
          await Promise.all(results)
          made = await this.#makeInstances(instancesFrom(commands, at))
          way = Promise.resolve(undefined)
        }
        const result = made.get(command)
        if (result !== undefined) {
          results.push(Promise.resolve(result))
          continue
        }
      }
      const there = !this.#lost && same(this.#at, command.context)
      if (!there && !this.#lost && this.#isNear(command.context)) {
        way = firstOf(way, this.#moveTo(command.context))
      } else if (!there) {
        await Promise.all(results)
        const problem = await this.#moveTo(command.context)
        way = Promise.resolve(undefined)
        if (problem !== undefined) {
          results.push(Promise.resolve({ command, outcome: 'skipped', text: problem }))
          continue
        }
      }
      const result = reached(way, this.#one(command))
      results.push(result)
      if (opensBlock(command)) await result
    }
  }

  /**
   * Makes instances, one behind the other: an empty one that was refused hurts nothing, its lines in the block around it
   * would (`bgp graceful-restart` is a line of both).
   */
  async #makeInstances(commands: readonly Command[]): Promise<ReadonlyMap<Command, CommandResult>> {
    if (this.#daemon === 'mgmtd') return new Map()
    const problem = await this.#moveTo([])
    if (problem !== undefined) return new Map()
    const results = await Promise.all(commands.map((command) => this.#one(command)))
    for (const { command, outcome } of results) if (outcome === 'ok') this.#instances.add(command.line)
    return new Map(results.map((result) => [result.command, result]))
  }

  /** Whether the way to a block leads over what is there for sure. */
  #isNear(to: readonly string[]): boolean {
    const [instance, family = 'address-family ', more] = to
    return (
      instance?.startsWith('router bgp ') === true &&
      (instance === this.#at[0] || this.#instances.has(instance)) &&
      family.startsWith('address-family ') &&
      more === undefined
    )
  }

  /** mgmtd loses what is sent ahead (lib/vty.c, vtysh_read). */
  async #oneByOne(commands: readonly Command[]): Promise<readonly CommandResult[]> {
    const results: CommandResult[] = []
    for (const command of commands) results.push(...(await this.#pipelined([command])))
    return results
  }

  /**
   * mgmtd commits every line by itself unless the datastores are locked; then all lines are one commit, which costs little
   * more than that of one line.
   * @returns undefined when that was refused: nothing is entered then.
   */
  async #transaction(commands: readonly Command[]): Promise<readonly CommandResult[] | undefined> {
    if (commands.length < 2) return undefined
    // Who else has the lock may give it back: then the lines can be entered, or each is refused for itself.
    if (!(await this.#locks())) return undefined
    const results: CommandResult[] = []
    for (const command of commands) {
      results.push(...(await this.#pipelined([command])))
      if (results.at(-1)?.outcome !== 'ok') break
    }
    if (results.every(({ outcome }) => outcome === 'ok')) {
      const answer = await this.#vty.send('mgmt commit apply')
      if (answer.status === status.success) {
        await this.#reopen('configure terminal')
        return results
      }
      this.commitFailed = true
    }
    await this.#vty.send('mgmt commit abort')
    await this.#reopen('configure terminal')
    return undefined
  }

  async #one(command: Command): Promise<CommandResult> {
    this.#count()
    if (removesInstance(command)) this.#instances.delete(command.line.replace(/^no /, ''))
    // FRR takes a distinguisher that happens to equal the automatic one for it and does not keep it
    // (bgpd/bgp_evpn_vty.c, bgp_evpn_vni_rd): have another one there before.
    const before = command.line.startsWith('rd ') ? this.#vty.send('rd 0.0.0.1:1') : undefined
    let [answer] = await Promise.all([this.#vty.send(command.line), before])
    // zebra tells bgpd of a VNI that went on a way of its own: a moment later bgpd lets the instance go.
    for (let tries = 0; tries < 100 && waitsForVni(command, answer); tries++) {
      await delay(20)
      answer = await this.#vty.send(command.line)
    }
    const outcome = answer.status === status.success ? 'ok' : answer.status === status.warning ? 'warned' : 'refused'
    if (outcome !== 'ok') this.#lost = true
    if (outcome === 'ok' && closingOf(command.context, command.line) !== undefined) {
      this.#at = [...command.context, command.line]
    }
    return { command, outcome, text: redacted(answer.text) }
  }

  async #takeBackOne({ context, undo }: Command): Promise<string> {
    const problem = await this.#moveTo(context)
    if (problem !== undefined) return problem
    let refusal = ''
    for (const line of undo) {
      if (/^exit(-\S+)?$/.test(line)) {
        await this.#vty.send('exit')
        this.#at = this.#at.slice(0, -1)
        continue
      }
      this.#count()
      const opens = closingOf(this.#at, line) !== undefined
      const answer = await this.#vty.send(line)
      if (answer.status !== status.success) {
        this.#lost = true
        if (refusal === '') refusal = redacted(answer.text)
        // What follows would be entered in the wrong block.
        if (opens || this.#at.length > context.length) return refusal
      }
      if (opens) this.#at = [...this.#at, line]
    }
    return refusal
  }

  /** Leaves and enters blocks; the text of a refusal, if any. */
  async #moveTo(context: readonly string[]): Promise<string | undefined> {
    if (this.#lost) await this.#reopen('configure terminal')
    const shared = this.#at.findIndex((line, at) => line !== context[at])
    const keep = shared < 0 ? this.#at.length : shared
    // FRR takes `router bgp` inside another block for what it is (lib/command.c, cmd_execute_command).
    const direct = keep === 0 && this.#instances.has(context[0] ?? '')
    const left = direct ? [] : closings(this.#at, keep)
    this.#at = context
    const answers: (readonly [string, Promise<Answer>])[] = []
    for (const line of [...left, ...context.slice(keep)]) {
      const answer = this.#vty.send(line)
      answers.push([line, answer])
      // mgmtd loses what is sent ahead (lib/vty.c, vtysh_read).
      if (this.#daemon === 'mgmtd') await answer
    }
    const all = await Promise.all(answers.map(async ([line, answer]) => ({ line, answer: await answer })))
    const refused = all.slice(left.length).find(({ answer }) => answer.status !== status.success)
    if (refused === undefined) return undefined
    this.#lost = true
    return redacted(`${refused.line}: ${refused.answer.text}`)
  }

  async #reopen(line: string): Promise<void> {
    await this.#vty.send('end')
    this.#at = []
    this.#lost = false
    await this.#open(line)
  }

  /** Takes the lock of the datastores; without it stands in configuration mode all the same. */
  async #locks(): Promise<boolean> {
    await this.#vty.send('end')
    this.#at = []
    this.#lost = false
    const answer = await this.#vty.send('configure terminal file-lock')
    if (answer.status === status.success) return true
    await this.#open('configure terminal')
    return false
  }

  async #open(line: string): Promise<void> {
    const answer = await this.#vty.send(line)
    if (answer.status === status.success) return
    throw new FrrError('unexpected', `FRR's ${this.#daemon} refuses configuration: ${answer.text}`)
  }
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, at) => line === b[at])
}

/** The lines that leave the inner blocks, innermost first. */
function closings(at: readonly string[], keep: number): readonly string[] {
  return at
    .slice(keep)
    .map((line, depth) => closingOf(at.slice(0, keep + depth), line) ?? 'exit')
    .toReversed()
}

async function firstOf(a: Promise<string | undefined>, b: Promise<string | undefined>): Promise<string | undefined> {
  const [first, second] = await Promise.all([a, b])
  return first ?? second
}

/** A line that was sent to a block that was not reached was entered somewhere else, or nowhere. */
async function reached(way: Promise<string | undefined>, sent: Promise<CommandResult>): Promise<CommandResult> {
  const [problem, result] = await Promise.all([way, sent])
  return problem === undefined ? result : { ...result, outcome: 'skipped', text: problem }
}

function waitsForVni(command: Command, answer: Answer): boolean {
  return removesInstance(command) && answer.status !== status.success && /l3vni|vrf instances/i.test(answer.text)
}
