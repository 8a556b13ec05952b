/** What distribution counts. None of it has a label that grows with the number of nodes. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics(registry: Registry) {
  const registers = [registry]
  return {
    connected: new Gauge({
      name: 'nodeleaf_agents_connected',
      help: 'Nodes whose agent has a stream.',
      registers,
    }),
    refused: new Counter({
      name: 'nodeleaf_agents_refused_total',
      help: 'Streams that were refused, by reason.',
      labelNames: ['reason'] as const,
      registers,
    }),
    ended: new Counter({
      name: 'nodeleaf_agent_streams_ended_total',
      help: 'Streams of agents that the controller ended, by reason.',
      labelNames: ['reason'] as const,
      registers,
    }),
    updates: new Counter({
      name: 'nodeleaf_plan_updates_sent_total',
      help: 'Plan updates sent: the whole plan (full) or what differs (delta).',
      labelNames: ['kind'] as const,
      registers,
    }),
    unchanged: new Counter({
      name: 'nodeleaf_plan_unchanged_total',
      help: 'Agents that came with the current plan, so that nothing was sent.',
      registers,
    }),
    pieces: new Counter({
      name: 'nodeleaf_plan_pieces_sent_total',
      help: 'Pieces of plans sent or removed.',
      registers,
    }),
    bytes: new Counter({
      name: 'nodeleaf_plan_bytes_sent_total',
      help: 'Bytes of plan updates sent, before TLS.',
      registers,
    }),
    rejected: new Counter({
      name: 'nodeleaf_plan_updates_rejected_total',
      help: 'Plan updates that an agent did not take.',
      registers,
    }),
    acknowledgement: new Histogram({
      name: 'nodeleaf_plan_acknowledgement_seconds',
      help: "Time from a change of a node's plan to the agent having it on its disk.",
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60],
      registers,
    }),
  }
}
