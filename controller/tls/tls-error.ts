/** What goes wrong with certificates, and what a person can do about it. No message holds a key. */
export class TlsError extends Error {
  override readonly name = 'TlsError'
  readonly code: 'NodeNameInvalid' | 'FilesInvalid' | 'StoreInvalid' | 'StoreBusy'

  constructor(code: TlsError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
