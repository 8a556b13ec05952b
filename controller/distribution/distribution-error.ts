/** What keeps the distribution of plans from starting. */
export class DistributionError extends Error {
  override readonly name = 'DistributionError'
  readonly code: 'ListenFailed'

  constructor(code: DistributionError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
