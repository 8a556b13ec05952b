/** Who asks. */
export interface User {
  readonly username: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** May do everything: what `kubectl` of a test cluster runs as. */
export const admin: User = { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }
