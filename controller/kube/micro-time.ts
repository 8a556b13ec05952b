/** Kubernetes' MicroTime: RFC 3339 with exactly six digits of a second, which Leases and Events insist on. */
export function microTime(date: Date): string {
  return date.toISOString().replace(/\.(\d{3})Z$/, '.$1000Z')
}
