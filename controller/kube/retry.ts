/** Whether a request that failed may be sent again by itself, and when. Pure. */
import { backoffMs } from '../../pace/backoff.ts'
import { ApiError } from './api-error.ts'

/** Nothing was sent: any request may be repeated. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'])
/** The connection broke; what was sent may have been done. */
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'UND_ERR_SOCKET', 'HPE_INVALID_CONSTANT'])

const BACKOFF = { firstMs: 200, longestMs: 5000 }
/** A server that wants us to stay away for longer than this is not waited for inside a request. */
const LONGEST_RETRY_AFTER_SECONDS = 30

/**
 * Milliseconds until attempt `attempts + 1`; undefined: the failure is the caller's. 429, and 5xx that say Retry-After,
 * were not carried out (https://kubernetes.io/docs/concepts/cluster-administration/flow-control/), so they may be
 * repeated whatever the request was.
 */
export function retryDelayMs(
  error: unknown,
  { attempts, repeatable, random }: { attempts: number; repeatable: boolean; random: number },
): number | undefined {
  if (!(error instanceof ApiError)) return undefined
  const backoff = backoffMs(attempts, BACKOFF, random)
  if (error.status === 429 || (error.status >= 500 && error.retryAfterSeconds !== undefined)) {
    const seconds = error.retryAfterSeconds ?? 1
    // All who were sent away at one time shall not come back at one time.
    return seconds > LONGEST_RETRY_AFTER_SECONDS ? undefined : Math.max(backoff, seconds * 1000 * (1 + random / 10))
  }
  const code = codeOf(error)
  if (code !== undefined && (NOT_SENT.has(code) || (repeatable && BROKEN.has(code)))) return backoff
  return undefined
}

function codeOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code
  }
  return undefined
}
