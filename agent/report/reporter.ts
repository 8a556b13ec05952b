/**
 * Tells the controller how the node fares: whenever that changes, at most four times a second, and never the same twice on
 * one stream. Sessions and VNIs are told when the controller asks for them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Wake } from '../../pace/wake.ts'
import type { Sender } from '../source/controller-stream.ts'
import { detailMessage, nextDetail, NOTHING_KNOWN, type DetailState } from './detail.ts'
import { reportOf, type ReportFacts } from './report.ts'

/** Between two reports. */
const PAUSE_MS = 250

export class Reporter {
  readonly #facts: () => Omit<ReportFacts, 'detailVersion'>
  readonly #now: () => number
  readonly #wake = new Wake({ quietMs: 20, latestMs: 100 })
  #sender: Sender | undefined
  #told = ''
  #detail: DetailState = NOTHING_KNOWN
  #detailWanted = false

  /** `now` is in milliseconds since 1970. */
  constructor(facts: () => Omit<ReportFacts, 'detailVersion'>, now: () => number) {
    this.#facts = facts
    this.#now = now
  }

  /** A stream is there: it is told everything anew. */
  welcome(sender: Sender): void {
    this.#sender = sender
    this.#told = ''
    this.#detailWanted = false
    this.changed()
  }

  ended(): void {
    this.#sender = undefined
  }

  detailRequested(): void {
    this.#detailWanted = true
    this.changed()
  }

  /** What FRR says now; what is absent is as it was. */
  observed({ sessions, vnis }: Partial<Pick<DetailState, 'sessions' | 'vnis'>>): void {
    const next = { sessions: sessions ?? this.#detail.sessions, vnis: vnis ?? this.#detail.vnis }
    const before = this.#detail.version
    this.#detail = nextDetail(this.#detail, next, this.#now())
    if (this.#detail.version !== before) this.changed()
  }

  /** Something that is told may have changed, or may be told now. */
  changed(): void {
    this.#wake.request('changed')
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while ((await this.#wake.next(signal)).length > 0) {
      if (this.#tell()) await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Whether anything was sent. */
  #tell(): boolean {
    const sender = this.#sender
    if (sender === undefined || !sender.ready()) return false
    let sent = false
    const report = reportOf({ ...this.#facts(), detailVersion: this.#detail.version })
    const text = JSON.stringify(report, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
    if (text !== this.#told) {
      this.#told = text
      sender.report(report)
      sent = true
    }
    if (this.#detailWanted && this.#detail.version > 0n) {
      this.#detailWanted = false
      sender.detail(detailMessage(this.#detail))
      sent = true
    }
    return sent
  }
}
