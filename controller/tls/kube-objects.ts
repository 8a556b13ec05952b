/** The few calls to the Kubernetes API that certificates need. Paths are those of the API, bodies plain objects. */

export interface JsonPatchOperation {
  readonly op: 'add' | 'replace' | 'test'
  readonly path: string
  readonly value: unknown
}

/** Each call rejects when the API server does not answer, or with another error than those named. */
export interface KubeObjects {
  /** Undefined: there is none (404). */
  get(path: string, signal: AbortSignal): Promise<unknown>
  /** False: there is one already (409). */
  create(collection: string, object: object, signal: AbortSignal): Promise<boolean>
  /** PUT. False: it has another resourceVersion by now, or is gone (409, 404). */
  replace(path: string, object: object, signal: AbortSignal): Promise<boolean>
  /** Server-side apply with nodeleaf's field manager, by force. */
  apply(path: string, object: object, signal: AbortSignal): Promise<void>
  /** JSON patch (RFC 6902). False: it is gone, or a `test` failed (404, 409, 422). */
  patch(path: string, operations: readonly JsonPatchOperation[], signal: AbortSignal): Promise<boolean>
}
