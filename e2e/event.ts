/** What a guest tells the machine it runs on: one JSON object a line. */
export type GuestEvent =
  | { readonly event: 'ready'; readonly seconds: number }
  /** Since the job before was over: the fabric was brought back to where it began. */
  | { readonly event: 'begin'; readonly name: string; readonly idleSeconds: number }
  | ScenarioResult
  /** The job left something behind; the fabric is built new. */
  | { readonly event: 'unclean'; readonly name: string; readonly left: readonly string[] }

export interface ScenarioResult {
  readonly event: 'result'
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
  readonly notes: readonly string[]
  /** Of a failure: the step it happened in, what was said, and what the lab looked like. */
  readonly step?: string
  readonly message?: string
  readonly diagnostics?: string
}
