/**
 * The server that agents dial: who may come in comes in, every node has one session, and all end when this replica no
 * longer leads.
 */
import { logVerbosity, Server, ServerCredentials, setLogVerbosity, status, type MethodDefinition } from '@grpc/grpc-js'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Registry } from 'prom-client'
import { connect } from '../../api/wire/service.ts'
import type { Steps } from '../../api/plan/steps.ts'
import type { AgentMessage, Hello } from '../../api/wire/generated/distribution_pb.ts'
import { messageOf, type Log } from '../../log/log.ts'
import { inSlices } from '../../pace/slices.ts'
import type { Certificates } from '../tls/certificates.ts'
import { defaultBounds, type Bounds } from './bounds.ts'
import { failed, hangUp, notLeading, replaced, slow, stopping, type Call, type Ending } from './ending.ts'
import { credentialsOf, greet, identify, type NodeIdentity } from './entrance.ts'
import { Gate } from './gate.ts'
import { Listener, type Address } from './listener.ts'
import { createMetrics } from './metrics.ts'
import type { AgentObserver, Authenticator, Leadership, PlanBook } from './ports.ts'
import { Refusals } from './refusals.ts'
import { Rounds } from './rounds.ts'
import { Session, type Surroundings } from './session.ts'

export interface DistributionOptions {
  readonly listen: Address
  readonly certificates: Certificates
  readonly authenticator: Authenticator
  readonly book: PlanBook
  readonly observer: AgentObserver
  /** Asked for every stream; leadershipChanged() says when it is to be asked again for those that stand. */
  readonly leadership: () => Leadership
  /** Name of this controller, for the agents' logs. */
  readonly name: string
  readonly registry: Registry
  readonly log: Log
  readonly bounds?: Partial<Bounds>
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

/** Detail of a node with thousands of VNIs is some hundred KiB. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024

/** How often an agent that is kept looks whether somebody leads. */
const ELECTION_LOOK_MS = 250

const SERVER_OPTIONS = {
  'grpc.keepalive_time_ms': 10_000,
  // A connection without a stream.
  'grpc.max_connection_idle_ms': 60_000,
  'grpc.max_concurrent_streams': 16,
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': -1,
  'grpc.enable_channelz': 0,
}

/** What goes down is encoded where it is made. */
const service: { readonly connect: MethodDefinition<AgentMessage, Buffer> } = {
  connect: { ...connect, responseSerialize: (bytes: Buffer) => bytes, responseDeserialize: (bytes: Buffer) => bytes },
}

/** Waits; true at once when the signal aborts. */
function aborted(signal: AbortSignal, ms: number): Promise<boolean> {
  return sleep(ms, false, { signal }).catch(() => true)
}

export class Distribution implements AsyncDisposable {
  readonly #options: DistributionOptions
  readonly #bounds: Bounds
  readonly #now: () => number
  readonly #around: Surroundings
  readonly #identifications: Gate
  readonly #refusals: Refusals
  readonly #sessions = new Map<string, Session>()
  readonly #rounds = new Rounds<Session>((session) => session.advance())
  readonly #server: Server
  /** All streams, with the ADDRESS:PORT of who dialled. */
  readonly #calls = new Map<Call, string>()
  #listener: Listener | undefined
  #stopping = false

  private constructor(options: DistributionOptions) {
    this.#options = options
    this.#bounds = { ...defaultBounds, ...options.bounds }
    this.#now = options.now ?? Date.now
    this.#identifications = new Gate(this.#bounds.identifications)
    this.#refusals = new Refusals(options.log, this.#now)
    this.#around = {
      book: options.book,
      observer: options.observer,
      gate: new Gate(this.#bounds.largeUpdates),
      metrics: createMetrics(options.registry),
      bounds: this.#bounds,
      log: options.log,
      controller: options.name,
      sever: (peer) => this.#listener?.sever(peer),
    }
    this.#server = new Server({ ...SERVER_OPTIONS, 'grpc.keepalive_timeout_ms': this.#bounds.pongMs })
    this.#server.addService(service, { connect: (call: Call) => void this.#guarded(call) })
  }

  /** Serves agents until stop(). @throws DistributionError when it cannot listen. */
  static async start(options: DistributionOptions): Promise<Distribution> {
    // It would print headers that it cannot read, whoever sent them: tokens among them.
    setLogVerbosity(logVerbosity.NONE)
    const distribution = new Distribution(options)
    const injector = distribution.#server.createConnectionInjector(ServerCredentials.createInsecure())
    const accept = injector.injectConnection.bind(injector)
    distribution.#listener = await Listener.open(options.listen, options.certificates, accept, options.log)
    return distribution
  }

  get port(): number {
    return this.#listener?.port ?? 0
  }

  /** Nodes whose agent has a stream. */
  get connected(): ReadonlySet<string> {
    return new Set(this.#sessions.keys())
  }

  /** The book has something else for these nodes. Any number of calls; each agent is told at its own pace. */
  changed(nodes: Iterable<string>): void {
    const now = performance.now()
    for (const node of nodes) {
      const session = this.#sessions.get(node)
      if (!session) continue
      session.changed(now)
      this.#rounds.add(session)
    }
  }

  /** Asks the node's agent for its details, unless it has been asked and has not answered yet. */
  requestDetail(node: string): void {
    this.#sessions.get(node)?.requestDetail()
  }

  /** To be called when `leadership` says something else: without it, all streams end; thousands of them in slices. */
  leadershipChanged(): void {
    const ending = notLeading(this.#options.leadership())
    if (ending) void inSlices(this.#dismissAll([...this.#sessions.values()], ending))
  }

  /** Those of the term that is over; who comes meanwhile may come in a next one. */
  *#dismissAll(sessions: readonly Session[], ending: Ending): Steps<void> {
    for (const session of sessions) {
      try {
        this.#dismiss(session, ending)
      } catch (error) {
        this.#options.log.error('a stream fails', { node: session.node, reason: messageOf(error) })
      }
      yield
    }
  }

  /** Ends all streams so that agents move on, and everything else within a bound. */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    this.#listener?.close()
    const ending = stopping(this.#options.leadership())
    for (const session of this.#sessions.values()) this.#dismiss(session, ending)
    for (const call of this.#calls.keys()) this.#hangUp(call, ending)
    await this.#silence()
    this.#server.forceShutdown()
    await this.#listener?.[Symbol.asyncDispose]()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Every stream has ended, or the bound has passed. */
  async #silence(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, this.#bounds.stopMs)
    const left = (): void => {
      if (this.#calls.size === 0) resolve()
    }
    for (const call of this.#calls.keys()) call.once('cancelled', left)
    left()
    await promise
    clearTimeout(timer)
  }

  /** A connection that breaks at the wrong moment must not take the controller with it. */
  async #guarded(call: Call): Promise<void> {
    try {
      await this.#accept(call)
    } catch (error) {
      this.#fail(call, error)
    }
  }

  #fail(call: Call, error: unknown): void {
    this.#options.log.error('a stream fails', { peer: this.#peer(call), reason: messageOf(error) })
    this.#hangUp(call, failed)
  }

  async #accept(call: Call): Promise<void> {
    const gone = new AbortController()
    const credentials = credentialsOf(call)
    this.#calls.set(call, credentials.peer)
    call.once('cancelled', () => {
      this.#calls.delete(call)
      gone.abort()
    })
    if (this.#stopping) return this.#hangUp(call, stopping(this.#options.leadership()))
    const bound = AbortSignal.any([gone.signal, AbortSignal.timeout(this.#bounds.identifyMs)])
    const identity = await identify(this.#options.authenticator, credentials, this.#identifications, bound)
    if (gone.signal.aborted) return
    if (identity.type === 'refused') return this.#refuse(call, identity.ending, identity.cause)
    await this.#election(gone.signal)
    if (gone.signal.aborted) return
    const elsewhere = this.#elsewhere()
    if (elsewhere) return this.#refuse(call, elsewhere)
    this.#listen(call, identity.good)
  }

  /** Returns when somebody is known to lead, here or elsewhere, or within a bound. */
  async #election(gone: AbortSignal): Promise<void> {
    const untilMs = performance.now() + this.#bounds.electionMs
    const undecided = (): boolean => {
      const leadership = this.#options.leadership()
      return !this.#stopping && !leadership.leads && leadership.leader === undefined
    }
    while (undecided() && performance.now() < untilMs) if (await aborted(gone, ELECTION_LOOK_MS)) return
  }

  /** Hello first, within its bound; everything after it is the session's. */
  #listen(call: Call, identity: NodeIdentity): void {
    let session: Session | undefined
    const bound = setTimeout(() => this.#refuse(call, slow('Hello did not come in time')), this.#bounds.helloMs)
    call.once('cancelled', () => clearTimeout(bound))
    const take = (message: AgentMessage): void => {
      if (session) return session.receive(message)
      if (call.writableEnded) return
      clearTimeout(bound)
      const hello = greet(message, identity)
      const elsewhere = this.#elsewhere()
      if (hello.type === 'refused') this.#refuse(call, hello.ending, hello.cause)
      else if (elsewhere) this.#refuse(call, elsewhere)
      else session = this.#open(call, hello.good, identity)
    }
    call.on('data', (message: AgentMessage) => {
      // What one agent says must not harm the others, nor leave its stream half dead.
      try {
        take(message)
      } catch (error) {
        this.#fail(call, error)
      }
    })
    call.on('end', () => call.end())
  }

  #open(call: Call, hello: Hello, { node, expiresAtMs }: NodeIdentity): Session {
    const { log, observer } = this.#options
    const session = new Session(call, this.#peer(call), hello, this.#around)
    const former = this.#sessions.get(node)
    this.#sessions.set(node, session)
    former?.end(replaced)
    if (former) this.#rounds.delete(former)
    this.#around.metrics.connected.set(this.#sessions.size)
    call.once('cancelled', () => this.#leave(session))
    log.info('an agent has come', {
      node,
      peer: session.peer,
      version: hello.versions?.agent,
      revision: hello.revision,
    })
    session.start()
    observer.connected(node, hello)
    if (expiresAtMs !== undefined) session.expireAt(expiresAtMs, this.#now)
    this.#rounds.add(session)
    return session
  }

  #dismiss(session: Session, ending: Ending): void {
    session.end(ending)
    this.#leave(session)
  }

  #leave(session: Session): void {
    session.close()
    this.#rounds.delete(session)
    if (this.#sessions.get(session.node) !== session) return
    this.#sessions.delete(session.node)
    this.#around.metrics.connected.set(this.#sessions.size)
    this.#options.log.info('an agent has gone', { node: session.node, peer: session.peer })
    this.#options.observer.disconnected(session.node)
  }

  /** Why the agent cannot be served here, whoever it is. */
  #elsewhere(): Ending | undefined {
    const leadership = this.#options.leadership()
    return this.#stopping ? stopping(leadership) : notLeading(leadership)
  }

  #refuse(call: Call, ending: Ending, cause: string = ending.details): void {
    this.#around.metrics.refused.inc({ reason: ending.reason })
    if (ending.code !== status.UNAVAILABLE || ending.reason === 'IdentityUnknown')
      this.#refusals.note(this.#peer(call), ending, cause)
    this.#hangUp(call, ending)
  }

  #hangUp(call: Call, ending: Ending): void {
    const peer = this.#peer(call)
    hangUp(call, ending, () => this.#around.sever(peer), this.#bounds.hangUpMs)
  }

  #peer(call: Call): string {
    return this.#calls.get(call) ?? 'gone'
  }
}
