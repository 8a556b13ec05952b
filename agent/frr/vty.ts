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

/** How long a daemon may be silent while it owes an answer; the longest seen is the commit of thousands of VNIs. */
const ANSWER_TIMEOUT_MS = 60_000

/** What is read at once; memory that is used again and again. */
const READ_BYTES = 16_384

export interface Answer {
  readonly status: number
  /** FRR's own text. It may hold passwords: FRR echoes lines that it does not know. */
  readonly text: string
}

interface Waiting {
  readonly line: string
  /** Takes the text as it comes, which is not kept then. */
  readonly hash?: Hash
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
  #closed = false
  #onClose: () => void = () => {}

  private constructor(path: string, socket: Socket, answerTimeoutMs: number) {
    this.path = path
    this.#socket = socket
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#lost())
    // A daemon that hangs must not hold up everything else: it counts as gone.
    socket.setTimeout(answerTimeoutMs, () => {
      if (this.#waiting.length > 0) socket.destroy()
    })
  }

  /**
   * `answerTimeoutMs`: a daemon that owes an answer and is silent for so long counts as gone.
   * @throws FrrError `unreachable` when nobody listens there.
   */
  static open(path: string, answerTimeoutMs = ANSWER_TIMEOUT_MS): Promise<Vty> {
    return new Promise((resolve, reject) => {
      let vty: Vty | undefined
      const callback = (bytes: number, buffer: Uint8Array): boolean => {
        if (vty !== undefined) vty.#read(Buffer.from(buffer.buffer, buffer.byteOffset, bytes))
        return true
      }
      const socket = connect({ path, onread: { buffer: Buffer.alloc(READ_BYTES), callback } })
      const failed = (cause: Error) => {
        reject(new FrrError('unreachable', `FRR does not listen on ${path}: is the daemon running?`, { cause }))
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

  /** Called once when the socket is gone, by whoever's doing; at once when it already is. */
  whenClosed(listener: () => void): void {
    if (this.#closed) listener()
    else this.#onClose = listener
  }

  /** Enters one line. @throws FrrError `disconnected` when the daemon goes away before it answers. */
  send(line: string): Promise<Answer> {
    return this.#ask(line)
  }

  /** Like `send`; the answer's text is a hash of what was answered, which costs hardly any memory. */
  digest(line: string): Promise<Answer> {
    return this.#ask(line, createHash('sha256'))
  }

  close(): void {
    this.#socket.destroy()
  }

  #ask(line: string, hash?: Hash): Promise<Answer> {
    if (/[\0\n\r]/.test(line))
      return Promise.reject(new FrrError('bad-line', 'A line for FRR holds a control character'))
    if (this.#closed) return Promise.reject(this.#gone(line))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject, ...(hash === undefined ? {} : { hash }) })
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
    const hash = this.#waiting[0]?.hash
    if (hash === undefined) this.#received.push(Buffer.from(part))
    else hash.update(part)
  }

  #answered(code: number): void {
    const waiting = this.#waiting.shift()
    const text = waiting?.hash?.digest('hex') ?? Buffer.concat(this.#received).toString('utf8').trim()
    this.#received = []
    waiting?.resolve({ status: code, text })
  }

  #lost(): void {
    this.#closed = true
    for (const { line, reject } of this.#waiting.splice(0)) reject(this.#gone(line))
    this.#onClose()
  }

  #gone(line: string): FrrError {
    return new FrrError('disconnected', `FRR left ${this.path} before it answered "${redacted(line)}"`)
  }
}
