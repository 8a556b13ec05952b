/**
 * One daemon's vty socket (FRR lib/vty.c, vtysh_read): a command and a NUL go in; text, three NULs and a status byte
 * come out. The daemon answers in order, so commands may be sent ahead of the answers.
 */
import { connect } from 'node:net'
import { redacted } from './text.ts'
import { FrrError } from './frr-error.ts'
import type { Socket } from 'node:net'

/** FRR lib/command.h: what the status byte says. */
export const status = { success: 0, warning: 1, noMatch: 2, ambiguous: 3, incomplete: 4, failed: 13 } as const

/** How long a daemon may be silent while it owes an answer; the longest seen is the commit of thousands of VNIs. */
const ANSWER_TIMEOUT_MS = 60_000

export interface Answer {
  readonly status: number
  /** FRR's own text. It may hold passwords: FRR echoes lines that it does not know. */
  readonly text: string
}

export class Vty {
  readonly path: string
  readonly #socket: Socket
  readonly #waiting: { line: string; resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = []
  #received: Buffer[] = []
  #outgoing = ''
  #closed = false
  #onClose: () => void = () => {}

  private constructor(path: string, socket: Socket, answerTimeoutMs: number) {
    this.path = path
    this.#socket = socket
    socket.on('data', (data) => this.#read(data))
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
      const socket = connect(path)
      const failed = (cause: Error) => {
        reject(new FrrError('unreachable', `FRR does not listen on ${path}: is the daemon running?`, { cause }))
      }
      socket.once('error', failed)
      socket.once('connect', () => {
        socket.off('error', failed)
        resolve(new Vty(path, socket, answerTimeoutMs))
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
    if (/[\0\n\r]/.test(line))
      return Promise.reject(new FrrError('bad-line', 'A line for FRR holds a control character'))
    if (this.#closed) return Promise.reject(this.#gone(line))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject })
      // What is sent at once is one write: a system call for each line costs more than the line.
      if (this.#outgoing === '') process.nextTick(() => this.#flush())
      this.#outgoing += `${line}\0`
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #flush(): void {
    const lines = this.#outgoing
    this.#outgoing = ''
    this.#socket.write(lines)
  }

  #read(data: Buffer): void {
    this.#received.push(data)
    // The end of an answer is four bytes, the last one the status: look only when it may have come.
    let buffer = this.#received.length === 1 ? data : Buffer.concat(this.#received)
    for (let end = buffer.indexOf(terminator); end >= 0 && end + 3 < buffer.length; end = buffer.indexOf(terminator)) {
      const waiting = this.#waiting.shift()
      const text = buffer.toString('utf8', 0, end).trim()
      waiting?.resolve({ status: buffer[end + 3] ?? status.failed, text })
      buffer = buffer.subarray(end + 4)
    }
    this.#received = buffer.length === 0 ? [] : [buffer]
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

const terminator = Buffer.from([0, 0, 0])
