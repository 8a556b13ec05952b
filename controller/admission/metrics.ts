/** What admission counts. */
import { Counter, Histogram, type Registry } from 'prom-client'

export type AdmissionMetrics = ReturnType<typeof createAdmissionMetrics>

export function createAdmissionMetrics(registry: Registry) {
  const registers = [registry]
  return {
    requests: new Counter({
      name: 'nodeleaf_admission_requests_total',
      help: 'Requests of the API server: allowed is true, false, or error when there was no verdict.',
      labelNames: ['operation', 'kind', 'allowed'] as const,
      registers,
    }),
    duration: new Histogram({
      name: 'nodeleaf_admission_duration_seconds',
      help: 'Time from the whole request to the answer.',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
      registers,
    }),
  }
}
