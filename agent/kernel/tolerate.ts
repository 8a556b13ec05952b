/** Does it; an error with one of the codes is nothing to speak of. */
export function tolerate(codes: readonly string[], call: () => void): void {
  try {
    call()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!codes.includes(code)) throw error
  }
}
