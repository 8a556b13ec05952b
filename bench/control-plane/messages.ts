/** The protocol as an agent sees it that looks at plans without keeping them: thousands of agents share a process. */
import { create, toBinary } from '@bufbuild/protobuf'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import {
  AgentMessageSchema,
  DetailSchema,
  SessionSchema,
  VniSchema,
  type AgentMessage,
} from '../../api/wire/generated/distribution_pb.ts'

export interface PlanPart {
  readonly type: 'plan'
  base: string
  revision: string
  readonly set: { key: string; json: Uint8Array }[]
  readonly remove: string[]
  more: boolean
  refusedDigest: string | undefined
  readonly bytes: number
}

export type Received = PlanPart | { readonly type: 'welcome' | 'detailRequest' | 'unknown' }

/** Field numbers of distribution.proto. */
const FROM_CONTROLLER: Readonly<Record<number, 'welcome' | 'plan' | 'detailRequest'>> = {
  1: 'welcome',
  2: 'plan',
  3: 'detailRequest',
}
const DETAIL = 4

/** ControllerMessage; the JSON of pieces stays where it is in the buffer. */
export function received(buffer: Buffer): Received {
  const reader = new BinaryReader(buffer)
  if (reader.pos === reader.len) return { type: 'unknown' }
  const [field] = reader.tag()
  const type = FROM_CONTROLLER[field]
  if (type !== 'plan') return { type: type ?? 'unknown' }
  return planPart(reader.bytes(), buffer.length)
}

function planPart(from: Uint8Array, bytes: number): PlanPart {
  const reader = new BinaryReader(from)
  const part: PlanPart = {
    type: 'plan',
    base: '',
    revision: '',
    set: [],
    remove: [],
    more: false,
    refusedDigest: undefined,
    bytes,
  }
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    if (field === 1) part.base = reader.string()
    else if (field === 2) part.revision = reader.string()
    else if (field === 3) part.set.push(piece(reader.bytes()))
    else if (field === 4) part.remove.push(reader.string())
    else if (field === 5) part.more = reader.bool()
    else if (field === 7) part.refusedDigest = reader.string()
    else reader.skip(wireType, field)
  }
  return part
}

function piece(from: Uint8Array): { key: string; json: Uint8Array } {
  const reader = new BinaryReader(from)
  const found = { key: '', json: from.subarray(0, 0) }
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    if (field === 1) found.key = reader.string()
    else if (field === 2) found.json = reader.bytes()
    else reader.skip(wireType, field)
  }
  return found
}

export function encoded(message: AgentMessage['message']): Buffer {
  return bufferOf(toBinary(AgentMessageSchema, create(AgentMessageSchema, { message })))
}

/** The VNIs of a Detail are the same for all agents here, so they are encoded once. */
export function encodedVnis(count: number): Uint8Array {
  const vnis = Array.from({ length: count }, (_, at) =>
    create(VniSchema, { vni: at + 1, type: at % 10 === 0 ? 'L3' : 'L2', state: 'Up', vteps: 40, macs: 20 }),
  )
  return toBinary(DetailSchema, create(DetailSchema, { vnis }))
}

/** Detail of two sessions and those VNIs: fields of a message may follow each other in any order and from any writer. */
export function encodedDetail(version: bigint, prefixes: number, vnis: Uint8Array): Buffer {
  const session = (peer: string) =>
    create(SessionSchema, {
      peer,
      state: 'Established',
      sinceMs: 1_700_000_000_000n,
      prefixesReceived: prefixes,
      prefixesSent: 2000,
    })
  const sessions = [session('172.16.0.1'), session('172.16.0.2')]
  const head = toBinary(DetailSchema, create(DetailSchema, { version, sessions }))
  const writer = new BinaryWriter().tag(DETAIL, WireType.LengthDelimited).bytes(Buffer.concat([head, vnis]))
  return bufferOf(writer.finish())
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
