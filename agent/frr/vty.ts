/**
 * One daemon's vty socket (FRR lib/vty.c, vtysh_read): a command and a NUL go in; text, three NULs and a status byte
 * come out. The daemon answers in order, so commands may be sent ahead of the answers.
 */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { redacted } from './text.ts'
import { FrrError } from './frr-error.ts'
import type { Hash } from 'node:crypto'
import type { Socket } from 'node:net'

/** FRR lib/command.h: what the status byte says. */
export const status = { success: 0, warning: 1, noMatch: 2, ambiguous: 3, incomplete: 4, failed: 13 } as const

/**
 * How long who asked waits for a daemon that is silent while it owes an answer. Longer than anything seen but a zebra that
 * reads thousands of links.
 */
const ANSWER_TIMEOUT_MS = 60_000

/** Its silence is counted in ticks, so that what it says costs no look at the clock. */
const QUIET_TICKS = 4

/** How long a socket is kept for answers that nobody waits for. Service managers kill after 30 s and more. */
const LINGER_MS = 20_000

/** What is read at once; memory that is used again and again. */
const READ_BYTES = 16_384

export interface Answer {
  readonly status: number
  /** FRR's own text. It may hold passwords: FRR echoes lines that it does not know. */
  readonly text: string
}

interface AskOptions {
  /** Takes the text as it comes, which is not kept then. */
  readonly hash?: Hash
  /** Waits as long as the daemon has the socket open. */
  readonly patient?: boolean
}

interface Waiting extends AskOptions {
  readonly line: string
  /** Nobody waits for the answer any more; it still comes, and must not be taken for another one. */
  given?: 'up'
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

export class Vty {
  readonly path: string
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []
  #received: Buffer[] = []
  /** Zero bytes seen last. */
  #zeros = 0
  #outgoing = ''
  readonly #tickMs: number
  /** Ticks while an answer is owed. (`socket.setTimeout` is quiet for good after it was quiet once.) */
  #timer: NodeJS.Timeout | undefined
  #quiet = 0
  #closed = false
  #late = false
  #onClose: () => void = () => {}
  #onCaughtUp: () => void = () => {}

  private constructor(path: string, socket: Socket, answerTimeoutMs: number) {
    this.path = path
    this.#socket = socket
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#lost())
    this.#tickMs = answerTimeoutMs / QUIET_TICKS
  }

  /**
   * `answerTimeoutMs`: a daemon that owes an answer and is silent for so long is late.
   * @throws FrrError `unreachable` when nobody listens there, `busy` when somebody does and has not taken others up yet.
   */
  static open(path: string, answerTimeoutMs = ANSWER_TIMEOUT_MS): Promise<Vty> {
    return new Promise((resolve, reject) => {
      let vty: Vty | undefined
      const callback = (bytes: number, buffer: Uint8Array): boolean => {
        if (vty !== undefined) vty.#read(Buffer.from(buffer.buffer, buffer.byteOffset, bytes))
        return true
      }
      const socket = connect({ path, onread: { buffer: Buffer.alloc(READ_BYTES), callback } })
      const failed = (cause: NodeJS.ErrnoException) => {
        reject(
          cause.code === 'EAGAIN'
            ? new FrrError('busy', `FRR runs and takes no connection on ${path}: it is busy, or hangs`, { cause })
            : new FrrError('unreachable', `FRR does not listen on ${path}: is the daemon running?`, { cause }),
        )
      }
      socket.once('error', failed)
      socket.once('connect', () => {
        socket.off('error', failed)
        vty = new Vty(path, socket, answerTimeoutMs)
        resolve(vty)
      })
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * The daemon runs and is so far behind that nobody waits for its answers any more. It is asked nothing until they have
   * come: more questions, or another connection, would only put it further behind.
   */
  get late(): boolean {
    return this.#late
  }

  /** Called once when the socket is gone, by whoever's doing; at once when it already is. */
  whenClosed(listener: () => void): void {
    if (this.#closed) listener()
    else this.#onClose = listener
  }

  /** Called each time that a daemon that was late has answered all that it was asked. */
  whenCaughtUp(listener: () => void): void {
    this.#onCaughtUp = listener
  }

  /** Enters one line. @throws FrrError `disconnected` when the daemon goes away before it answers, `busy` when it is late. */
  send(line: string): Promise<Answer> {
    return this.#ask(line)
  }

  /** Like `send`, and waits until the daemon answers or goes away. */
  sendPatiently(line: string): Promise<Answer> {
    return this.#ask(line, { patient: true })
  }

  /** Like `send`; the answer's text is a hash of what was answered, which costs hardly any memory. */
  digest(line: string): Promise<Answer> {
    return this.#ask(line, { hash: createHash('sha256') })
  }

  /**
   * Nobody waits for answers any more. The socket is kept until those that are owed have come: a daemon that finds its
   * reader gone in the middle of an answer of more than 128 KiB frees what it goes on using (FRR 10.3, lib/vty.c, vty_out
   * calls vtysh_flush, which calls vty_close) and dies.
   */
  close(): void {
    if (this.#closed) return
    if (this.#waiting.every(({ patient }) => patient === true)) {
      this.#socket.destroy()
      return
    }
    this.#closed = true
    this.#received = []
    this.#giveUp((line) => this.#gone(line))
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#socket.destroy(), LINGER_MS)
    this.#onClose()
  }

  #ask(line: string, options: AskOptions = {}): Promise<Answer> {
    if (/[\0\n\r]/.test(line))
      return Promise.reject(new FrrError('bad-line', 'A line for FRR holds a control character'))
    if (this.#closed) return Promise.reject(this.#gone(line))
    if (this.#late) return Promise.reject(this.#busy(line))
    if (this.#waiting.length === 0) this.#quiet = 0
    this.#timer ??= setTimeout(() => this.#tick(), this.#tickMs).unref()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject, ...options })
      // What is sent at once is one write: a system call for each line costs more than the line.
      if (this.#outgoing === '') process.nextTick(() => this.#flush())
      this.#outgoing += `${line}\0`
    })
  }

  #flush(): void {
    const lines = this.#outgoing
    this.#outgoing = ''
    this.#socket.write(lines)
  }

  /** The end of an answer is four bytes, the last one the status. `data` is overwritten by what is read next. */
  #read(data: Buffer): void {
    this.#quiet = 0
    for (let at = 0; at < data.length; at++) {
      if (this.#zeros === 3) {
        this.#zeros = 0
        this.#answered(data[at] ?? status.failed)
      } else if (data[at] === 0) {
        this.#zeros++
      } else {
        if (this.#zeros > 0) this.#take(Buffer.alloc(this.#zeros))
        this.#zeros = 0
        const end = data.indexOf(0, at)
        const next = end < 0 ? data.length : end
        this.#take(data.subarray(at, next))
        at = next - 1
      }
    }
  }

  #take(part: Buffer): void {
    const { hash, given } = this.#waiting[0] ?? {}
    if (hash !== undefined) hash.update(part)
    else if (given === undefined) this.#received.push(Buffer.from(part))
  }

  #answered(code: number): void {
    const waiting = this.#waiting.shift()
    const text = waiting?.hash?.digest('hex') ?? Buffer.concat(this.#received).toString('utf8').trim()
    this.#received = []
    waiting?.resolve({ status: code, text })
    if (this.#closed && this.#waiting.length === 0) this.#socket.destroy()
    if (!this.#late || this.#waiting.length > 0) return
    this.#late = false
    this.#onCaughtUp()
  }

  #tick(): void {
    if (this.#closed || this.#waiting.length === 0) {
      this.#timer = undefined
      return
    }
    this.#timer?.refresh()
    if (++this.#quiet === QUIET_TICKS) this.#silent()
  }

  /** A daemon that is late must not hold up everything else. */
  #silent(): void {
    this.#late = this.#waiting.some(({ patient }) => patient !== true)
    if (!this.#late) return
    this.#received = []
    this.#giveUp((line) => this.#busy(line))
  }

  #giveUp(why: (line: string) => FrrError): void {
    for (const waiting of this.#waiting) {
      if (this.#closed || waiting.patient !== true) {
        waiting.given = 'up'
        waiting.reject(why(waiting.line))
      }
    }
  }

  #lost(): void {
    const told = this.#closed
    this.#closed = true
    clearTimeout(this.#timer)
    for (const { line, reject } of this.#waiting.splice(0)) reject(this.#gone(line))
    if (!told) this.#onClose()
  }

  #gone(line: string): FrrError {
    return new FrrError('disconnected', `FRR left ${this.path} before it answered "${redacted(line)}"`)
  }

  #busy(line: string): FrrError {
    const message = `FRR runs and does not answer "${redacted(line)}" on ${this.path}: it is busy, or hangs`
    return new FrrError('busy', message)
  }
}
