/** What the controller counts of itself; none has a label that grows with the number of nodes or resources. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, type Registry } from 'prom-client'
import manifest from '../package.json' with { type: 'json' }
import type { Certificates } from './tls/certificates.ts'
import { expiryOf } from './tls/expiry.ts'

export type LeaderMetrics = ReturnType<typeof createLeaderMetrics>

/** What is true at the moment of asking. */
export interface Facts {
  readonly leads: boolean
  readonly resources: Readonly<Record<string, number>>
  readonly nodes: number
  readonly settled: number
  readonly writesWaiting: number
}

export function createLeaderMetrics(registry: Registry) {
  const registers = [registry]
  return {
    rounds: new Counter({ name: 'nodeleaf_plan_rounds_total', help: 'Rounds of planning.', registers }),
    roundFailures: new Counter({
      name: 'nodeleaf_plan_round_failures_total',
      help: 'Rounds of planning that failed; what was planned stays.',
      registers,
    }),
    roundSeconds: new Histogram({
      name: 'nodeleaf_plan_round_seconds',
      help: 'Time of a round of planning: numbers, ledger, plans.',
      buckets: [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10],
      registers,
    }),
    plansChanged: new Counter({
      name: 'nodeleaf_plans_changed_total',
      help: 'Plans of nodes that a round changed.',
      registers,
    }),
    writeFailures: new Counter({
      name: 'nodeleaf_write_failures_total',
      help: 'Writes of status, numbers or RouterNodes that failed; they are tried again.',
      registers,
    }),
  }
}

export function createKubeMetrics(registry: Registry) {
  const registers = [registry]
  return {
    requests: new Counter({
      name: 'nodeleaf_kubernetes_requests_total',
      help: 'Requests to the API server, by verb, resource and result.',
      labelNames: ['verb', 'resource', 'result'] as const,
      registers,
    }),
    watchFailures: new Counter({
      name: 'nodeleaf_kubernetes_watch_failures_total',
      help: 'Lists and watches that failed; they are tried again.',
      labelNames: ['resource', 'reason'] as const,
      registers,
    }),
  }
}

/** Gauges that are looked up when they are asked for, and what Node.js says of the process. */
export function describeController(registry: Registry, facts: () => Facts): void {
  collectDefaultMetrics({ register: registry })
  const version = { version: manifest.version }
  gauge(registry, 'controller_build_info', 'Version; always 1.', () => [[version, 1]])
  gauge(registry, 'controller_leads', 'Whether this replica leads.', () => [[{}, Number(facts().leads)]])
  gauge(registry, 'nodes', 'Nodes that this leader knows.', () => [[{}, facts().nodes]])
  gauge(registry, 'nodes_settled', 'Nodes that have been through their whole plan.', () => [[{}, facts().settled]])
  gauge(registry, 'writes_waiting', 'Statuses that wait to be written.', () => [[{}, facts().writesWaiting]])
  gauge(registry, 'resources', 'Resources that users declared, by kind.', () =>
    Object.entries(facts().resources).map(([kind, count]) => [{ kind }, count]),
  )
}

/** Both are renewed long before: a moment that comes near means that renewing fails. */
export function describeCertificates(
  registry: Registry,
  certificates: Pick<Certificates, 'trusted' | 'serving'>,
): void {
  const help = 'When certificates end, in seconds since 1970: the serving one, the last CA that is trusted.'
  gauge(registry, 'certificate_expiry_timestamp_seconds', help, () => {
    const { servingMs, caMs } = expiryOf(certificates)
    return Object.entries({ serving: servingMs, ca: caMs }).flatMap(([certificate, ms]): Sample[] =>
      ms === undefined ? [] : [[{ certificate }, ms / 1000]],
    )
  })
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]

function gauge(registry: Registry, name: string, help: string, samples: () => readonly Sample[]): Gauge {
  return new Gauge({
    name: `nodeleaf_${name}`,
    help,
    labelNames: [...new Set(samples().flatMap(([labels]) => Object.keys(labels)))],
    registers: [registry],
    collect() {
      this.reset()
      for (const [labels, value] of samples()) this.set(labels, value)
    },
  })
}
