/** The overlay of all nodes with the same VNIs: laid out once, and compared once when it changes. */
import type { L2VNI } from '../kinds/l2vni.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import { sameEntry, segmentEntry, vrfEntry, type Entry, type SessionEntry, type SharedEntry } from './entry.ts'
import type { Steps } from './steps.ts'
import { minus, plus, type RevisionSum } from './revision.ts'
import { passwordOf, type Secrets } from './session.ts'
import { vrfSources, type VrfSource } from './vrf.ts'

export interface Template {
  /** What it was made of. */
  readonly vnis: readonly (L3VNI | L2VNI)[]
  readonly entries: ReadonlyMap<string, Entry>
  /** Of the pieces that are the same on all nodes. */
  readonly sum: RevisionSum
  readonly sessions: readonly SessionEntry[]
  readonly waiting: readonly SharedEntry[]
}

export interface TemplateDifference {
  readonly set: readonly Entry[]
  /** Entries that are gone, and those that others replace. */
  readonly gone: readonly Entry[]
  /** What it does to the sum of the shared pieces. */
  readonly delta: RevisionSum
}

const segments = new WeakMap<L2VNI, SharedEntry>()
const vrfs = new WeakMap<L3VNI | L2VNI, Map<string, Entry>>()

/** Entries that say the same as those of `before` are the very same; when all do, so is the template. An entry a step. */
export function* template(
  vnis: readonly (L3VNI | L2VNI)[],
  /** Of the Underlay; undefined: there is none, so nothing is laid out. */
  asn: number | undefined,
  secrets: Secrets,
  before: Template | undefined,
): Steps<Template> {
  if (asn === undefined) return before?.vnis === vnis ? before : templateOf(vnis, new Map())
  const l2vnis = vnis.filter((each) => each.kind === 'L2VNI')
  const sources = vrfSources(
    vnis.filter((each) => each.kind === 'L3VNI'),
    l2vnis,
  )
  const made: Entry[] = []
  for (const each of sources) {
    made.push(vrfOnce(each, asn, secrets))
    yield
  }
  for (const each of l2vnis) {
    made.push(segmentOnce(each))
    yield
  }
  const entries = new Map<string, Entry>()
  let same = before !== undefined && before.entries.size === made.length
  for (const each of made) {
    const old = before?.entries.get(each.key)
    const entry = old && (old === each || sameEntry(old, each)) ? old : each
    same &&= entry === old
    entries.set(each.key, entry)
  }
  return same && before ? { ...before, vnis } : templateOf(vnis, entries)
}

/** The same VNIs where none can be laid out. */
export function withoutEntries({ vnis }: Template): Template {
  return templateOf(vnis, new Map())
}

function templateOf(vnis: readonly (L3VNI | L2VNI)[], entries: ReadonlyMap<string, Entry>): Template {
  const all = [...entries.values()]
  const shared = all.filter((each) => each.type === 'shared')
  return {
    vnis,
    entries,
    sum: shared.reduce((sum, { hash }) => plus(sum, hash), 0n),
    sessions: all.filter((each) => each.type === 'session'),
    waiting: shared.filter(({ waitsOn }) => waitsOn !== undefined),
  }
}

const differences = new WeakMap<Template['entries'], WeakMap<Template['entries'], TemplateDifference>>()

/** Worked out once for a pair. */
export function difference(before: Template, after: Template): TemplateDifference {
  const known = differences.get(before.entries)?.get(after.entries)
  if (known) return known
  const set = [...after.entries.values()].filter((each) => before.entries.get(each.key) !== each)
  const gone = [...before.entries.values()].filter((each) => after.entries.get(each.key) !== each)
  const made = { set, gone, delta: minus(after.sum, before.sum) }
  const ofBefore = differences.get(before.entries) ?? new WeakMap<Template['entries'], TemplateDifference>()
  differences.set(before.entries, ofBefore.set(after.entries, made))
  return made
}

function segmentOnce(l2: L2VNI): SharedEntry {
  const known = segments.get(l2)
  if (known) return known
  const made = segmentEntry(l2)
  segments.set(l2, made)
  return made
}

/** A few variants of one VRF may be in use at a time: Underlays with other ASNs. */
const MAX_VARIANTS = 16

function vrfOnce(source: VrfSource, asn: number, secrets: Secrets): Entry {
  const { by, table } = source
  const session = by.kind === 'L3VNI' ? by.spec.hostSession : undefined
  const variant = JSON.stringify([table, session && [session.asn ?? asn, passwordOf(session, secrets)]])
  const known = vrfs.get(by)?.get(variant)
  if (known) return known
  const made = vrfEntry(source, asn, secrets)
  const variants = vrfs.get(by) ?? new Map<string, Entry>()
  if (variants.size >= MAX_VARIANTS) variants.clear()
  vrfs.set(by, variants.set(variant, made))
  return made
}
