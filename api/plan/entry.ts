/** A piece of the plans of many nodes: the same for all, or the same but for the host's addresses. */
import type { L2VNI } from '../kinds/l2vni.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import type { Violation } from '../rules/violation.ts'
import { hostAddressWriter, type HostAddressWriter } from './host-address-writer.ts'
import { sessionDraft, sessionExhausted } from './host-session.ts'
import { canonicalJSON, segmentKey, vrfKey } from './pieces.ts'
import type { Piece } from './plan-version.ts'
import { hashOf } from './revision.ts'
import { segmentPlan } from './segment.ts'
import type { Secrets } from './session.ts'
import { vrfPlan, type VrfSource } from './vrf.ts'

export interface SharedEntry {
  readonly type: 'shared'
  readonly key: string
  readonly text: string
  readonly hash: bigint
  readonly piece: Piece
  /** Why something of it waits on every node. */
  readonly waitsOn?: Violation
}

export interface SessionEntry {
  readonly type: 'session'
  readonly key: string
  /** Around the list of the host's addresses. */
  readonly head: string
  readonly tail: string
  /** For nodes that get no address. */
  readonly without: string
  readonly writer: HostAddressWriter
  readonly exhausted: (node: { readonly name: string; readonly index: number }) => Violation
}

export type Entry = SharedEntry | SessionEntry

export function segmentEntry(l2: L2VNI): SharedEntry {
  return sharedEntry(segmentKey(l2.spec.vni), canonicalJSON(segmentPlan(l2)))
}

export function vrfEntry(source: VrfSource, asn: number, secrets: Secrets): Entry {
  const { by } = source
  return by.kind === 'L3VNI' && by.spec.hostSession
    ? sessionEntry(source, by, by.spec.hostSession, asn, secrets)
    : sharedEntry(vrfKey(source.name), canonicalJSON(vrfPlan(source, undefined)))
}

/** No text of a plan contains it. */
const PLACE = ['\0']
const PLACE_TEXT = `"hostAddresses":${JSON.stringify(PLACE)}`

function sessionEntry(
  source: VrfSource,
  l3: L3VNI,
  session: NonNullable<L3VNI['spec']['hostSession']>,
  asn: number,
  secrets: Secrets,
): Entry {
  const key = vrfKey(source.name)
  const without = canonicalJSON(vrfPlan(source, undefined))
  const draft = sessionDraft(l3, session, asn, secrets)
  if ('waitsOn' in draft) return { ...sharedEntry(key, without), waitsOn: draft.waitsOn }
  const [before = '', after = ''] = canonicalJSON(vrfPlan(source, draft.planWith(PLACE))).split(PLACE_TEXT)
  return {
    type: 'session',
    key,
    head: `${before}"hostAddresses":`,
    tail: after,
    without,
    writer: hostAddressWriter(session),
    exhausted: (node) => sessionExhausted(l3, session, node),
  }
}

function sharedEntry(key: string, text: string): SharedEntry {
  return { type: 'shared', key, text, hash: hashOf(key, text), piece: { key, json: Buffer.from(text) } }
}

/** Canonical JSON of the piece for the node with this index. */
export function textFor(entry: Entry, index: number): string {
  if (entry.type === 'shared') return entry.text
  const addresses = entry.writer.addresses(index)
  return addresses ? entry.head + JSON.stringify(addresses) + entry.tail : entry.without
}

export function hashFor(entry: Entry, index: number): bigint {
  return entry.type === 'shared' ? entry.hash : hashOf(entry.key, textFor(entry, index))
}

export function pieceFor(entry: Entry, index: number): Piece {
  return entry.type === 'shared' ? entry.piece : { key: entry.key, json: Buffer.from(textFor(entry, index)) }
}

/** Whether the two say the same on every node. */
export function sameEntry(a: Entry, b: Entry): boolean {
  if (a.type === 'shared') return b.type === 'shared' && a.text === b.text && a.waitsOn?.message === b.waitsOn?.message
  return b.type === 'session' && a.head === b.head && a.tail === b.tail && sameNetworks(a, b)
}

/** The router's addresses are in the text, and the networks follow from them; the words of a refusal may not. */
function sameNetworks(a: SessionEntry, b: SessionEntry): boolean {
  const node = { name: '', index: 0 }
  return JSON.stringify(a.exhausted(node)) === JSON.stringify(b.exhausted(node))
}
