/** An agent without a node: what the real one says to the controller, with its delays, and a plan that is looked at only. */
import { create } from '@bufbuild/protobuf'
import {
  Client,
  compressionAlgorithms,
  Metadata,
  status,
  type ChannelCredentials,
  type ClientDuplexStream,
} from '@grpc/grpc-js'
import { redialMs } from '../../agent/source/controller-source.ts'
import {
  AcknowledgementSchema,
  HelloSchema,
  ReportSchema,
  VersionsSchema,
  type AgentMessage,
} from '../../api/wire/generated/distribution_pb.ts'
import { connect, PLAN_VERSION } from '../../api/wire/service.ts'
import { nowMs, type Recruit } from './crowd-messages.ts'
import { HeldPlan } from './held-plan.ts'
import { encoded, encodedDetail, received, type PlanPart, type Received } from './messages.ts'

/** An empty message, which follows a Detail as with the real agent. */
const NOTHING = Buffer.alloc(0)
/** What is small goes as it is, a Detail compressed, as with the real agent: agent/source/controller-stream.ts. */
const NO_COMPRESS = 2

/** What all agents of a process share. */
export interface Crowd {
  readonly controller: string
  readonly credentials: ChannelCredentials
  readonly serverName: string
  readonly vnis: Uint8Array
  /** Waits for a place among those that shake hands; the result gives it back. */
  readonly turn: () => Promise<() => void>
  readonly noted: (what: 'dials' | 'reports' | 'details') => void
  readonly mistake: (text: string) => void
  readonly ended: (why: string) => void
}

/** Milliseconds: a plan is on the disk, the first report of it follows, then that of the kernel and FRR having it. */
const DISK = [3, 20] as const
const FIRST_REPORT = [20, 100] as const
const SECOND_REPORT = [270, 450] as const
/** As the agent has them: agent/source/controller-source.ts. */
const CONNECT_MS = 10_000
const WELCOME_MS = 60_000
const LIVED_MS = 10_000

const between = ([least, most]: readonly [number, number]): number => least + Math.random() * (most - least)
const versions = create(VersionsSchema, { agent: '0.1.0', frr: '10.3', kernel: '6.12.0', datapath: 'single' })

export class CrowdAgent {
  readonly node: string
  readonly #token: string
  readonly #crowd: Crowd
  readonly #plan: HeldPlan
  #call: ClientDuplexStream<Buffer, Received> | undefined
  #parts: PlanPart[] = []
  #applied = ''
  #detailVersion = BigInt(Date.now())
  #detailTold = 0n
  #detailWanted = false
  #prefixes = 100
  #failures = 0
  connected = false
  /** Of this phase. */
  plans = 0
  pieces = 0
  removed = 0
  bytes = 0
  marker = ''
  markedAt = 0

  constructor({ node, token }: Recruit, crowd: Crowd, checks: boolean) {
    this.node = node
    this.#token = token
    this.#crowd = crowd
    this.#plan = new HeldPlan(node, checks)
  }

  count(marker: string): void {
    Object.assign(this, { plans: 0, pieces: 0, removed: 0, bytes: 0, marker, markedAt: 0 })
  }

  dialIn(ms: number): void {
    setTimeout(() => void this.#takeTurn(), ms)
  }

  /** A counter has moved: told in a Report, and shown when the controller asks. */
  chatter(): void {
    this.#detailVersion++
    this.#prefixes++
    this.#report()
  }

  async #takeTurn(): Promise<void> {
    this.#dial(await this.#crowd.turn())
  }

  #dial(done: () => void): void {
    const { controller, credentials, serverName, noted, ended } = this.#crowd
    noted('dials')
    const client = new Client(controller, credentials, {
      'grpc.ssl_target_name_override': serverName,
      'grpc.keepalive_time_ms': 10_000,
      // The real one waits 3 s; here thousands share a process.
      'grpc.keepalive_timeout_ms': 30_000,
      'grpc.max_receive_message_length': 64 << 20,
      'grpc.enable_retries': 0,
      'grpc.enable_channelz': 0,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
    })
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${this.#token}`)
    const call = client.makeBidiStreamRequest(connect.path, (bytes: Buffer) => bytes, received, metadata)
    client.waitForReady(Date.now() + CONNECT_MS, done)
    const ready = (): boolean => this.connected || client.getChannel().getConnectivityState(false) === 2
    const timers = [
      setTimeout(() => ready() || call.cancel(), CONNECT_MS),
      setTimeout(() => this.connected || call.cancel(), WELCOME_MS),
    ]
    let welcomedAt = Infinity
    call.on('data', (message: Received) => {
      if (message.type === 'welcome') {
        welcomedAt = performance.now()
      }
      this.#receive(message)
    })
    call.on('error', () => {})
    call.on('status', ({ code, details }) => {
      for (const timer of timers) clearTimeout(timer)
      client.close()
      done()
      this.#call = undefined
      this.connected = false
      ended(`${status[code]}: ${details}`)
      this.#failures = performance.now() - welcomedAt >= LIVED_MS ? 0 : this.#failures + 1
      this.dialIn(redialMs(this.#failures, false, Math.random()))
    })
    this.#call = call
    this.#parts = []
    this.#detailTold = 0n
    this.#detailWanted = false
    const { revision, refusedDigest } = this.#plan
    const planVersions = [PLAN_VERSION]
    this.#send({
      case: 'hello',
      value: create(HelloSchema, { node: this.node, revision, refusedDigest, planVersions, versions }),
    })
  }

  #receive(message: Received): void {
    if (message.type === 'welcome') {
      this.connected = true
      this.#later(FIRST_REPORT, () => this.#report())
    } else if (message.type === 'detailRequest') {
      this.#detailWanted = true
      this.#tellDetail()
    } else if (message.type === 'plan') {
      this.#parts.push(message)
      this.bytes += message.bytes
      if (message.more) return
      const parts = this.#parts
      this.#parts = []
      const taken = this.#plan.take(parts)
      this.plans++
      this.pieces += taken.pieces
      this.removed += taken.removed
      if (taken.mistake !== '') this.#crowd.mistake(`${this.node}: ${taken.mistake}`)
      const { marker } = this
      const marks =
        marker === '' ||
        parts.some(({ set, remove }) => remove.includes(marker) || set.some(({ key }) => key === marker))
      const { revision } = this.#plan
      this.#later(DISK, () => this.#acknowledge(revision, taken.mistake, marks))
    }
  }

  #acknowledge(revision: string, error: string, marks: boolean): void {
    this.#send({ case: 'acknowledgement', value: create(AcknowledgementSchema, { revision, error }) })
    if (marks && this.markedAt === 0) this.markedAt = nowMs()
    this.#later(FIRST_REPORT, () => this.#report())
    this.#later(SECOND_REPORT, () => {
      this.#applied = revision
      this.#detailVersion++
      this.#report()
    })
  }

  #report(): void {
    const { revision: lastGood } = this.#plan
    this.#crowd.noted('reports')
    const settled = lastGood !== '' && this.#applied === lastGood
    this.#send({
      case: 'report',
      value: create(ReportSchema, {
        applied: this.#applied,
        lastGood,
        settled,
        versions,
        detailVersion: this.#detailVersion,
      }),
    })
    this.#tellDetail()
  }

  #tellDetail(): void {
    if (!this.#detailWanted || this.#detailTold === this.#detailVersion) return
    this.#detailWanted = false
    this.#detailTold = this.#detailVersion
    this.#crowd.noted('details')
    this.#call?.write(encodedDetail(this.#detailVersion, this.#prefixes, this.#crowd.vnis))
    this.#call?.write(NOTHING, NO_COMPRESS)
  }

  #send(message: AgentMessage['message']): void {
    this.#call?.write(encoded(message), NO_COMPRESS)
  }

  /** On this stream only. */
  #later(bounds: readonly [number, number], work: () => void): void {
    const call = this.#call
    setTimeout(() => {
      if (this.#call === call && call !== undefined) work()
    }, between(bounds))
  }
}
