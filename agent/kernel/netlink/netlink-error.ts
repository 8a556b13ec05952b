import { getSystemErrorName } from 'node:util'

export interface NetlinkErrorDetails {
  /** What was asked, in words: `add link vx100`. */
  readonly asked: string
  /** The kernel's own text (extended ack): `VRF table id is missing`. */
  readonly extack?: string | undefined
  /** Type number of the attribute the kernel objects to, found by its offset in the request. */
  readonly attribute?: number | undefined
  /** Type number of the attribute the kernel misses (NLMSGERR_ATTR_MISS_TYPE). */
  readonly missingAttribute?: number | undefined
  readonly cause?: unknown
}

/**
 * The kernel refused a request, or did not answer as netlink must.
 *
 * `code` is the errno's name (`EEXIST`), `EBADMSG` for an answer that cannot be read.
 */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError'
  readonly code: string
  /** Positive errno. */
  readonly errno: number
  readonly asked: string
  readonly extack: string | undefined
  readonly attribute: number | undefined
  readonly missingAttribute: number | undefined

  constructor(errno: number, details: NetlinkErrorDetails) {
    const code = errnoName(errno)
    const hints = [
      details.extack,
      details.missingAttribute === undefined ? undefined : `attribute ${details.missingAttribute} is missing`,
      details.extack === undefined && details.attribute !== undefined ? `at attribute ${details.attribute}` : undefined,
    ].filter((hint) => hint !== undefined)
    super(`${details.asked}: ${code}${hints.length > 0 ? ` (${hints.join(', ')})` : ''}`, { cause: details.cause })
    this.code = code
    this.errno = errno
    this.asked = details.asked
    this.extack = details.extack
    this.attribute = details.attribute
    this.missingAttribute = details.missingAttribute
  }
}

/** Where libuv's names, which Node gives, are missing or not the kernel's. */
const KERNEL_NAMES: Readonly<Record<number, string>> = {
  52: 'EBADE',
  54: 'EXFULL',
  74: 'EBADMSG',
  76: 'ENOTUNIQ',
  95: 'EOPNOTSUPP',
}

function errnoName(errno: number): string {
  return KERNEL_NAMES[errno] ?? (errno > 0 ? getSystemErrorName(-errno) : 'EUNKNOWN')
}

export const EBADMSG = 74

/** An answer that breaks netlink's format: never expected from a kernel, never a reason to crash or loop. */
export function malformed(what: string): NetlinkError {
  return new NetlinkError(EBADMSG, { asked: 'decode a netlink message', extack: what })
}
