/** Netlink messages: header, acknowledgements, and the extended acknowledgement (RFC 3549; include/uapi/linux/netlink.h). */
import { Attributes } from './attributes.ts'
import { malformed, NetlinkError } from './netlink-error.ts'

export const NLM_F_REQUEST = 0x1
export const NLM_F_ACK = 0x4
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_DUMP = 0x300
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200

export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

const HEADER = 16
const NLMSGERR_ATTR_MSG = 1
const NLMSGERR_ATTR_OFFS = 2
const NLMSGERR_ATTR_MISS_TYPE = 5

/** A request before it is sent; the client adds what makes it one of its own (sequence number, NLM_F_REQUEST, NLM_F_ACK). */
export interface Request {
  readonly type: number
  /** NLM_F_CREATE and the like. */
  readonly flags: number
  /** The type's fixed structure and attributes. */
  readonly body: Buffer
  /** In words, for errors: `add link vx100`. */
  readonly asked: string
}

export interface Message {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly body: Buffer
}

export function encode(request: Request, sequence: number, flags: number): Buffer {
  const bytes = Buffer.alloc(HEADER + ((request.body.length + 3) & ~3))
  bytes.writeUInt32LE(HEADER + request.body.length, 0)
  bytes.writeUInt16LE(request.type, 4)
  bytes.writeUInt16LE(request.flags | flags, 6)
  bytes.writeUInt32LE(sequence, 8)
  request.body.copy(bytes, HEADER)
  return bytes
}

/** Splits a datagram. The bodies are views of it. Throws NetlinkError EBADMSG when it is cut or no netlink. */
export function* messages(datagram: Buffer): Generator<Message> {
  let offset = 0
  while (offset < datagram.length) {
    if (datagram.length - offset < HEADER) throw malformed(`${datagram.length - offset} bytes where a header should be`)
    const length = datagram.readUInt32LE(offset)
    if (length < HEADER || offset + length > datagram.length) throw malformed(`message of length ${length}`)
    yield {
      type: datagram.readUInt16LE(offset + 4),
      flags: datagram.readUInt16LE(offset + 6),
      sequence: datagram.readUInt32LE(offset + 8),
      body: datagram.subarray(offset + HEADER, offset + length),
    }
    offset += (length + 3) & ~3
  }
}

/** What an NLMSG_ERROR or NLMSG_DONE says: undefined for success. */
export function failure(message: Message, request: Request): NetlinkError | undefined {
  if (message.type === NLMSG_DONE && message.body.length < 4) return undefined
  if (message.body.length < 4) throw malformed('acknowledgement without a code')
  const errno = -message.body.readInt32LE(0)
  if (errno === 0) return undefined
  const details = message.flags & NLM_F_ACK_TLVS ? Attributes.parse(message.body, tlvOffset(message)) : undefined
  const at = details?.u32(NLMSGERR_ATTR_OFFS)
  return new NetlinkError(errno, {
    asked: request.asked,
    extack: details?.string(NLMSGERR_ATTR_MSG),
    attribute: at === undefined ? undefined : attributeAt(request.body, at - HEADER),
    missingAttribute: details?.u32(NLMSGERR_ATTR_MISS_TYPE),
  })
}

/** After the code, an error repeats the request: its header only when capped. */
function tlvOffset(message: Message): number {
  if (message.type === NLMSG_DONE) return 4
  if (message.flags & NLM_F_CAPPED) return 4 + HEADER
  if (message.body.length < 4 + HEADER) throw malformed('error without the request it answers')
  return 4 + ((message.body.readUInt32LE(4) + 3) & ~3)
}

function attributeAt(body: Buffer, offset: number): number | undefined {
  return offset >= 0 && offset + 4 <= body.length ? body.readUInt16LE(offset + 2) & 0x3fff : undefined
}
