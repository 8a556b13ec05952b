/**
 * The agent at work: what the files and the controller say becomes the plan, whatever changes wakes the reconciler, and
 * everything is told on the socket and to the controller. Stopping it changes nothing on the node.
 */
import { release } from 'node:os'
import manifest from '../package.json' with { type: 'json' }
import type { Server } from 'node:http'
import type { ResourceRef } from '../api/plan/node-plan.ts'
import type { ControllerLink } from './controller-link.ts'
import { DatapathKeeper } from './datapath-keeper.ts'
import { FrrAdapter } from './frr-port.ts'
import { FrrSupply } from './frr-supply.ts'
import { Kernel } from './kernel/kernel.ts'
import { lock, lockNames } from './lock.ts'
import type { Log } from '../log/log.ts'
import type { AgentOptions } from './options.ts'
import { Reconciler, type PassReport } from './reconciler.ts'
import { Rest } from './rest.ts'
import { resyncMs } from './resync.ts'
import { FollowedSource } from './source/followed-source.ts'
import type { SourceReading } from './source/plan-source.ts'
import { keyOfRef } from './resource-state.ts'
import { statusDocument, type StatusDocument } from './status/document.ts'
import { metricsText } from './status/metrics.ts'
import { serveHealth, serveSocket, type Health, type Served } from './status/server.ts'
import { Wake } from '../pace/wake.ts'

/** A change in the kernel that comes this long after a pass is acted on at once; others may be a storm, or its own. */
const LONE_MS = 1000

/** Runs until `stop` aborts. @throws LockError, ServerError, KernelError, DatapathError when it cannot start */
export async function runAgent(options: AgentOptions, log: Log, stop: AbortController): Promise<void> {
  const { signal } = stop
  await using resources = new AsyncDisposableStack()
  resources.use(await lock(lockNames(options.stateDir, options.netns)))
  const warn = (message: string, ref: ResourceRef): void => log.warn(message, { resource: keyOfRef(ref) })
  const kernel = resources.use(Kernel.open({ netns: options.netns, stateDir: options.stateDir, warn }))
  const supply = new FrrSupply({ ...options, netnsPath: kernel.netnsPath }, log)
  const frr = new FrrAdapter(() => supply.applied())
  const datapath = new DatapathKeeper(options.datapath, kernel, frr, log)
  datapath.decide()
  const clock = { now: Date.now, random: Math.random }
  const reconciler = new Reconciler(kernel, frr, log, clock)
  const wake = new Wake({ quietMs: 100, latestMs: 1000 })
  const source = await FollowedSource.open(options, log, (planned, changed) => {
    reconciler.want(planned)
    if (changed) wake.requestNow('source')
  })
  const link = await controllerLink(options, log, { source, kernel, frr, reconciler, datapath })
  const waiters: ((report: PassReport | undefined) => void)[] = []
  const parts = { options, start: Date.now(), kernel, frr, reconciler, datapath, source, link }
  const served: Served = {
    status: () => status(parts),
    health: () => health(reconciler, source.reading),
    metrics: async () => metricsText(await status(parts)),
    reconcile: async () => {
      await source.read()
      reconciler.retryNow()
      wake.requestNow('asked')
      const { promise, resolve } = Promise.withResolvers<PassReport | undefined>()
      waiters.push(resolve)
      return promise
    },
    stop: () => stop.abort(),
  }
  resources.defer(closing(await serveSocket(options.runDir, served)))
  if (options.health !== undefined) resources.defer(closing(await serveHealth(options.health, served)))

  log.info('agent started', {
    version: manifest.version,
    node: source.reading.node.name,
    netns: options.netns,
    frr: options.frr,
  })
  const following = source.follow(signal)
  const linking = link?.run(signal)
  const rest = resources.use(new Rest())
  let passEnded = 0
  const unsubscribe = kernel.onChange(() => {
    if (performance.now() - passEnded > LONE_MS) wake.requestNow('netlink')
    else wake.request('netlink')
    link?.hint('link')
  })
  if (link !== undefined) resources.defer(watchConnections(kernel, link, log))
  const supervision = supply.run(frr, () => wake.request('frr'), signal)
  // A first pass with FRR there keeps the order: no link is raised before FRR knows its VNI.
  await supply.tried
  wake.requestNow('start')
  try {
    while (!signal.aborted) {
      const reasons = await nextReasons(wake, reconciler, options.resyncSeconds, signal)
      if (reasons.length === 0) break
      const asked = waiters.splice(0)
      rest.interrupt()
      datapath.decide()
      await datapath.during(() => reconciler.pass(reasons, signal))
      passEnded = performance.now()
      link?.changed()
      if (reconciler.changedLast) link?.hint('link')
      rest.resume(reconciler.workedMuch)
      for (const resolve of asked) resolve(reconciler.lastPass)
    }
  } finally {
    stop.abort()
    unsubscribe()
    for (const resolve of waiters) resolve(undefined)
    await Promise.all([following, supervision, linking])
    source.settle()
  }
  log.info('agent stopped, the router stays as it is')
}

type LinkParts = Pick<Parts, 'source' | 'frr' | 'reconciler' | 'datapath'> & { readonly kernel: Kernel }

/** gRPC is loaded where there is somebody to talk to. */
async function controllerLink(
  { controller }: AgentOptions,
  log: Log,
  { source, kernel, frr, reconciler, datapath }: LinkParts,
): Promise<ControllerLink | undefined> {
  if (controller === undefined) return undefined
  const facts = () => {
    const { controllerProgress: progress, resources, nodeState, frrAway } = reconciler
    return {
      progress,
      resources,
      ...(nodeState === undefined ? {} : { nodeState }),
      ...(frrAway === undefined ? {} : { frrAway }),
      versions: { agent: manifest.version, frr: frr.version ?? '', kernel: release(), datapath: datapath.shape ?? '' },
    }
  }
  const room = await import('./controller-link.ts')
  return new room.ControllerLink({ options: controller, log, source, kernel, frr, facts })
}

/** Sessions that end are noticed at once; a kernel that does not tell it costs a second. */
function watchConnections(kernel: Kernel, link: ControllerLink, log: Log): () => void {
  try {
    const end = kernel.onConnectionClosed(() => link.hint('session'))
    link.endsAreTold()
    return end
  } catch (error) {
    log.debug('the kernel does not tell when connections end', { error })
    return () => undefined
  }
}

interface Parts {
  readonly options: AgentOptions
  readonly start: number
  readonly kernel: Pick<Kernel, 'writes'>
  readonly frr: FrrAdapter
  readonly reconciler: Omit<Reconciler<never, never>, 'pass'>
  readonly datapath: DatapathKeeper
  readonly source: FollowedSource
  readonly link?: ControllerLink | undefined
}

async function status({
  options,
  start,
  kernel,
  frr,
  reconciler,
  datapath,
  source,
  link,
}: Parts): Promise<StatusDocument> {
  const { appliedRevision: applied, nodeState, lastPass, progress, resources, passes: reconciles } = reconciler
  const phases = Object.fromEntries([...reconciler.phases].map(([phase, ms]) => [phase, Number(ms.toFixed(1))]))
  const { version } = frr
  const observed = await frr.observed(Date.now())
  const hangs = {
    state: 'away',
    message: 'it is connected and does not answer: a daemon hangs, or is very busy',
  } as const
  return statusDocument({
    now: Date.now(),
    start,
    netns: options.netns,
    versions: {
      agent: manifest.version,
      ...(version === undefined ? {} : { frr: version }),
      kernel: release(),
      runtime: process.version,
    },
    frr: { mode: options.frr, name: options.frrName, ...(observed === undefined ? hangs : frr.state) },
    source: source.reading,
    ...(datapath.status === undefined ? {} : { datapath: datapath.status }),
    ...(link === undefined ? {} : { controller: link.connection }),
    ...(applied === undefined ? {} : { applied }),
    ...(nodeState === undefined ? {} : { nodeState }),
    ...(lastPass === undefined ? {} : { lastPass }),
    ...(progress === undefined ? {} : { progress }),
    resources,
    counters: { netlinkWrites: kernel.writes, frrCommands: frr.commands, reconciles, phases },
    sessions: observed?.sessions ?? [],
    vnis: observed?.vnis ?? [],
  })
}

/** The next reasons for a pass: events, a retry that is due, or the slow resync, at most a fifth earlier than asked. */
async function nextReasons(
  wake: Wake,
  reconciler: Pick<Reconciler<never, never>, 'dueMs' | 'lastLook'>,
  resyncSeconds: number,
  signal: AbortSignal,
): Promise<string[]> {
  const resync = resyncMs(resyncSeconds * (1 - Math.random() / 5), reconciler.lastLook, performance.now())
  const due = reconciler.dueMs ?? Infinity
  const timer = setTimeout(() => wake.request(due < resync ? 'retry' : 'resync'), Math.min(due, resync))
  try {
    return await wake.next(signal)
  } finally {
    clearTimeout(timer)
  }
}

function health(
  reconciler: Pick<Reconciler<never, never>, 'nodeState' | 'frrAway' | 'passes'>,
  source: SourceReading,
): Health {
  const { nodeState, frrAway, passes } = reconciler
  if (source.planned === undefined) return { ready: false, message: 'no plan is known' }
  if (passes === 0) return { ready: false, message: 'starting' }
  if (nodeState?.state === 'Failed') return { ready: false, message: nodeState.message }
  if (frrAway !== undefined) return { ready: false, message: `FRR is away: ${frrAway}` }
  return { ready: true, message: 'ready' }
}

function closing(server: Server): () => Promise<void> {
  return () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(() => resolve()))
  }
}
