/** The agent's metrics, made from its status when they are asked for. Names start with `nodeleaf_`. */
import type { StatusDocument } from './document.ts'
import { exposition, type Metric, type Sample } from './exposition.ts'

/** Prometheus' text format. */
export function metricsText(status: StatusDocument): string {
  const metrics: Metric[] = []
  const gauge = (name: string, help: string, samples: readonly Sample[]): void => {
    metrics.push({ name: `nodeleaf_${name}`, type: 'gauge', help, samples })
  }
  const counter = (name: string, help: string, samples: readonly Sample[]): void => {
    metrics.push({ name: `nodeleaf_${name}`, type: 'counter', help, samples })
  }
  const { counters, revision } = status
  const versions = Object.entries(status.versions).filter(([, value]) => value !== undefined)
  gauge('build_info', 'Versions of what runs here; always 1.', [[Object.fromEntries(versions), 1]])
  gauge(
    'resource_ready',
    'Whether a resource is Ready on this node.',
    status.resources.map(({ kind, name, state }) => [{ kind, name, state }, state === 'Ready' ? 1 : 0]),
  )
  gauge('resources_refused', 'Objects, or parts of them, that are left out of the plan.', [[{}, status.refused.length]])
  gauge('source_problems', 'What is wrong with the configuration.', [[{}, status.problems.length]])
  gauge('frr_connected', 'Whether FRR answers.', [[{}, status.frr.state === 'connected' ? 1 : 0]])
  if (status.controller !== undefined) {
    const { state, reason, certificateEnds } = status.controller
    gauge('controller_connected', 'Whether the controller has welcomed the agent.', [
      [{}, state === 'connected' ? 1 : 0],
    ])
    gauge('controller_refused', 'Whether the controller refuses the agent, and why.', [
      [reason === undefined ? {} : { reason }, state === 'refused' ? 1 : 0],
    ])
    if (certificateEnds !== undefined)
      gauge('controller_certificate_expiry_timestamp_seconds', 'When the certificate that proves the node ends.', [
        [{}, Date.parse(certificateEnds) / 1000],
      ])
  }
  gauge('revision_applied', 'Whether the desired revision is wholly in place.', [
    [{}, revision.desired !== undefined && revision.desired === revision.applied ? 1 : 0],
  ])
  gauge(
    'bgp_session_established',
    'Whether a BGP session is established.',
    status.sessions.map(({ peer, vrf, state }) => [{ peer, vrf: vrf ?? 'default' }, state === 'Established' ? 1 : 0]),
  )
  counter('netlink_writes_total', 'Writes to the kernel since the start.', [[{}, counters.netlinkWrites]])
  counter('frr_commands_total', 'Configuration lines sent to FRR since the start.', [[{}, counters.frrCommands]])
  counter('reconciles_total', 'Passes of the reconciler since the start.', [[{}, counters.reconciles]])
  counter(
    'reconcile_phase_seconds_total',
    'Time that passes of the reconciler took since the start, by what was being done.',
    Object.entries(counters.phases).map(([phase, ms]) => [{ phase }, ms / 1000]),
  )
  return exposition(metrics)
}
