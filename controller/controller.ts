/**
 * The controller at work: what the world looks like comes from a backend; whoever leads plans it, hands it out to the
 * agents and says how they fare. A replica that does not lead refuses agents, and answers admission all the same.
 */
import { Registry } from 'prom-client'
import { FabricPlanner } from '../api/plan/fabric-planner.ts'
import type { PlanVersion } from '../api/plan/plan-version.ts'
import type { Detail, Hello, Report } from '../api/wire/generated/distribution_pb.ts'
import type { Log } from '../log/log.ts'
import manifest from '../package.json' with { type: 'json' }
import type { Backend } from './backend.ts'
import { openDirectory } from './directory-backend.ts'
import { Distribution } from './distribution/distribution.ts'
import type { AgentObserver, Leadership, PlanBook } from './distribution/ports.ts'
import { DECLARED_KINDS } from './fabric/world.ts'
import { serveHealth, type Health } from './health-server.ts'
import { Leader } from './leader.ts'
import { openKubernetes } from './kubernetes-backend.ts'
import { createLeaderMetrics, describeCertificates, describeController, type Facts } from './metrics.ts'
import type { ControllerOptions } from './options.ts'

/** Where a running controller is reached; a port that was given as 0 is known here. */
export interface Running {
  readonly agents: number
  readonly metrics: number | undefined
}

/** Runs until the signal aborts. @throws what it cannot begin for, such as an address that is taken */
export async function runController(
  options: ControllerOptions,
  log: Log,
  signal: AbortSignal,
  running: (at: Running) => void = () => {},
): Promise<void> {
  const registry = new Registry()
  await using stack = new AsyncDisposableStack()
  const seat = new Seat()
  let backend: Backend | undefined
  describeController(registry, () => factsOf(backend, seat))
  const metrics =
    options.metrics &&
    stack.use(
      await serveHealth({
        endpoint: options.metrics,
        metrics: () => registry.metrics(),
        health: () => healthOf(backend, signal),
      }),
    )
  backend = stack.use(await open(options, registry, log, signal))
  const { store, certificates, authenticator, elsewhere } = backend
  describeCertificates(registry, certificates)
  const distribution = stack.use(
    await Distribution.start({
      listen: { host: options.listen.address === '' ? '::' : options.listen.address, port: options.listen.port },
      certificates,
      authenticator,
      book: seat,
      observer: seat,
      leadership: (): Leadership => (seat.leader === undefined ? elsewhere() : { leads: true }),
      name: options.name,
      registry,
      log,
    }),
  )
  log.info('controller started', {
    version: manifest.version,
    name: options.name,
    source: options.source.type,
    port: distribution.port,
  })
  running({ agents: distribution.port, metrics: metrics?.port })
  // Whatever ends it, everything that was started here ends with it.
  const ending = new AbortController()
  stack.defer(() => ending.abort())
  const until = AbortSignal.any([signal, ending.signal])
  const leaderMetrics = createLeaderMetrics(registry)
  const planner = new FabricPlanner()
  const lead = async (term: AbortSignal): Promise<void> => {
    const leader = new Leader({
      store,
      planner,
      log,
      metrics: leaderMetrics,
      now: Date.now,
      indexRestMs: options.indexRestMs,
      agentGraceMs: options.agentGraceMs,
      changed: (nodes) => distribution.changed(nodes),
      requestDetail: (node) => distribution.requestDetail(node),
    })
    const over = (): void => {
      seat.leader = undefined
      distribution.leadershipChanged()
    }
    if (term.aborted) return
    term.addEventListener('abort', over, { once: true })
    seat.leader = leader
    await leader.run(term)
  }
  const first = Promise.withResolvers<void>()
  const changed = (): void => {
    first.resolve()
    seat.leader?.worldChanged()
  }
  const following = store.run(changed, until)
  const keeping = backend.run(until)
  const address = options.advertise ?? `${options.name}:${distribution.port}`
  // Who has not read everything yet leaves leading to others.
  signal.addEventListener('abort', () => first.resolve(), { once: true })
  await backend.leadership(lead, address, first.promise, signal)
  await Promise.all([following, keeping])
  log.info('controller stops, agents keep what they have')
}

async function open(options: ControllerOptions, registry: Registry, log: Log, signal: AbortSignal): Promise<Backend> {
  const { source } = options
  return source.type === 'directory'
    ? openDirectory(options, source, log, signal)
    : openKubernetes(options, source.kubeconfig, registry, log, signal)
}

/** Where the leader sits, when this replica has one. */
class Seat implements PlanBook, AgentObserver {
  leader: Leader | undefined

  current(node: string): PlanVersion | undefined {
    return this.leader?.current(node)
  }

  connected(node: string, hello: Hello): void {
    this.leader?.connected(node, hello)
  }

  disconnected(node: string): void {
    this.leader?.disconnected(node)
  }

  acknowledged(node: string, revision: string, error: string | undefined): void {
    this.leader?.acknowledged(node, revision, error)
  }

  reported(node: string, report: Report): void {
    this.leader?.reported(node, report)
  }

  detailed(node: string, detail: Detail): void {
    this.leader?.detailed(node, detail)
  }
}

function healthOf(backend: Backend | undefined, stop: AbortSignal): Health {
  if (stop.aborted) return { ready: false, message: 'stopping' }
  if (backend === undefined) return { ready: false, message: 'starting: no certificates yet' }
  if (backend.store.world === undefined) return { ready: false, message: 'starting: not everything was read yet' }
  return { ready: true, message: 'ready' }
}

function factsOf(backend: Backend | undefined, { leader }: Seat): Facts {
  const declared = backend?.store.world?.declared ?? []
  const counts = leader?.counts()
  return {
    leads: leader !== undefined,
    resources: Object.fromEntries(
      DECLARED_KINDS.map((kind) => [kind, declared.filter(({ ref }) => ref.kind === kind).length]),
    ),
    nodes: counts?.nodes ?? 0,
    settled: counts?.settled ?? 0,
    writesWaiting: counts?.waiting ?? 0,
  }
}
