/**
 * Plans of all nodes of the fabric, kept up to date: what `plan` gives for each node, at the price of what changed.
 *
 * Nodes that the same selectors select are judged as one (`node-groups.ts`, `standing.ts`), and those with the same VNIs
 * share one overlay (`template.ts`). A node has only its router, its passthrough and the host's addresses for itself; its
 * revision is a sum that is corrected by the pieces that changed.
 *
 * Thousands of nodes and VNIs are seconds of work, so it is done in steps (pace/slices.ts), and what is current stays so
 * until the last one. One piece of work at a time; one that was not carried through costs time and nothing else.
 */
import type { AnyResource } from '../kinds/kinds.ts'
import type { L2VNI } from '../kinds/l2vni.ts'
import type { L3Passthrough } from '../kinds/l3passthrough.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import type { Underlay } from '../kinds/underlay.ts'
import { nameOf, refOf, type Violation } from '../rules/violation.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Steps } from './steps.ts'
import type { NodeFacts } from './node-facts.ts'
import { NodeGroups, type Group, type LabeledNode } from './node-groups.ts'
import { refusalsOf } from './node-refusals.ts'
import { NodeVersion } from './node-version.ts'
import { ownPart, type OwnPart } from './own-part.ts'
import type { PlanVersion } from './plan-version.ts'
import type { Secrets } from './session.ts'
import { Standing, type Block, type BlockContents, type Touched } from './standing.ts'
import { template, withoutEntries, type Template } from './template.ts'

type VniList = readonly (L3VNI | L2VNI)[]
/** By `GroupState.overlay`. */
type VniLists = Map<string, VniList>

/** What stands on the nodes of a group. */
interface GroupState {
  readonly underlay: Underlay | undefined
  readonly passthrough: L3Passthrough | undefined
  readonly vnis: VniList
  /** Groups with the same have the same VNIs. */
  readonly overlay: string
  readonly refused: readonly Violation[]
}

interface NodeState {
  readonly own: OwnPart
  readonly group: GroupState
  readonly fabric: readonly Violation[]
  readonly version: NodeVersion
}

/** An overlay, and the same for nodes that have no tunnels. */
interface Overlay {
  readonly vnis: VniList
  readonly full: Template
  readonly bare: Template
}

/** What an update has come to so far. */
interface Draft {
  readonly secrets: Secrets
  readonly secretsChanged: boolean
  readonly overlays: Map<string, Overlay>
  readonly nodes: Map<string, NodeState>
}

export class FabricPlanner {
  #standing = new Standing()
  #groups = new NodeGroups()
  /** Whether the two were taken up to the last snapshot as a whole. */
  #whole = true
  #states = new WeakMap<Group, GroupState>()
  #vnis: VniLists = new Map()
  #overlays = new Map<string, Overlay>()
  #nodes: ReadonlyMap<string, NodeState> = new Map()
  #secrets: Secrets = {}

  /** Undefined: the node is not known. */
  current(node: string): PlanVersion | undefined {
    return this.#nodes.get(node)?.version
  }

  /** What the rules of the whole fabric refuse, as of the last snapshot seen. The same list as long as it says the same. */
  get refused(): readonly Violation[] {
    return this.#standing.refused
  }

  /** The Underlay that stands on each of the nodes: what numbers are allocated from. */
  *underlays(snapshot: Snapshot, nodes: readonly LabeledNode[]): Steps<(node: string) => Underlay | undefined> {
    yield* this.#see(snapshot, nodes)
    return (node) => this.#groupState(node)?.underlay
  }

  /**
   * Plans anew what differs. Returns the names of the nodes whose version is another one (revision or refusals), also of
   * those that came and went. `facts`: one for each node.
   */
  *update(snapshot: Snapshot, facts: readonly NodeFacts[]): Steps<readonly string[]> {
    yield* this.#see(snapshot, facts)
    const secretsChanged = !sameSecrets(this.#secrets, snapshot.secrets)
    const secrets = secretsChanged ? snapshot.secrets : this.#secrets
    const draft: Draft = { secrets, secretsChanged, overlays: new Map(), nodes: new Map() }
    const changed: string[] = []
    for (const node of facts) {
      const group = this.#groupState(node.name)
      if (group && (yield* this.#plan(node, group, draft))) changed.push(node.name)
      yield
    }
    for (const name of this.#nodes.keys()) if (!draft.nodes.has(name)) changed.push(name)
    this.#secrets = secrets
    this.#overlays = draft.overlays
    this.#nodes = draft.nodes
    return changed
  }

  #groupState(node: string): GroupState | undefined {
    const group = this.#groups.groupOf(node)
    return group && this.#states.get(group)
  }

  /** Judges anew where a snapshot or other labels make a difference. */
  *#see(snapshot: Snapshot, nodes: readonly LabeledNode[]): Steps<void> {
    if (!this.#whole) this.#forget()
    this.#whole = false
    const touched = yield* this.#standing.update(snapshot)
    yield* this.#groups.update(nodes, touched)
    this.#standing.close(touched.closed)
    const vnis: VniLists = new Map()
    for (const group of this.#groups.all) {
      const before = this.#states.get(group)
      const state = before && !touches(touched, group) ? before : this.#judge(group, vnis)
      this.#states.set(group, state)
      vnis.set(state.overlay, state.vnis)
      yield
    }
    this.#vnis = vnis
    this.#whole = true
  }

  /** Everything is judged from the start; plans that come to the same stay the same. */
  #forget(): void {
    this.#standing = new Standing()
    this.#groups = new NodeGroups()
    this.#states = new WeakMap()
    this.#vnis = new Map()
  }

  #judge(group: Group, vnis: VniLists): GroupState {
    const [node = { name: '', labels: {} }] = group.nodes.values()
    const { fallen, refused } = this.#standing.judgeNode(group.blocks, node)
    const contents = group.blocks.map((block) => ({ id: block.id, ...this.#standing.contents(block) }))
    const overlay = [
      ...contents.filter((each) => each.vnis.length > 0).map(({ id }) => id),
      ...[...fallen]
        .filter(({ kind }) => kind === 'L3VNI' || kind === 'L2VNI')
        .map((each) => `-${nameOf(refOf(each))}`),
    ].join()
    return {
      underlay: contents.flatMap(({ underlays }) => underlays).find((each) => !fallen.has(each)),
      passthrough: contents.flatMap(({ passthroughs }) => passthroughs).find((each) => !fallen.has(each)),
      vnis: vnis.get(overlay) ?? this.#vniList(overlay, contents, fallen),
      overlay,
      refused,
    }
  }

  /** One list for all groups with the same VNIs, and the same list as long as they stay. */
  #vniList(overlay: string, contents: readonly BlockContents[], fallen: ReadonlySet<AnyResource>): VniList {
    const made = contents.flatMap(({ vnis }) => (fallen.size > 0 ? vnis.filter((each) => !fallen.has(each)) : vnis))
    const before = this.#vnis.get(overlay)
    return before?.length === made.length && made.every((each, at) => each === before[at]) ? before : made
  }

  /** Whether the node has another version now. */
  *#plan(facts: NodeFacts, group: GroupState, draft: Draft): Steps<boolean> {
    const before = this.#nodes.get(facts.name)
    const { holders, refused: fabric } = this.#standing
    const { underlay, passthrough } = group
    const own = ownPart(facts, underlay, passthrough, draft.secrets, holders, before?.own)
    const overlay = draft.overlays.get(overlayKey(group)) ?? (yield* this.#overlay(group, draft))
    const shape = own.router && own.router.vteps.length > 0 ? overlay.full : overlay.bare
    const kept = before?.own === own && before.group === group && before.fabric === fabric
    if (kept && before.version.template === shape) {
      draft.nodes.set(facts.name, before)
      return false
    }
    const refusals = (): readonly Violation[] => refusalsOf(facts, fabric, group.refused, own, shape, passthrough)
    const version = new NodeVersion(facts, shape, own.pieces, refusals, before?.version)
    draft.nodes.set(facts.name, { own, group, fabric, version })
    return !before || !version.says(before.version)
  }

  *#overlay(group: GroupState, { overlays, secrets, secretsChanged }: Draft): Steps<Overlay> {
    const asn = group.underlay?.spec.asn
    const key = overlayKey(group)
    const before = this.#overlays.get(key)
    if (before && !secretsChanged && before.vnis === group.vnis) {
      overlays.set(key, before)
      return before
    }
    const full = yield* template(group.vnis, asn, secrets, before?.full)
    const made = before?.full === full ? before : { vnis: group.vnis, full, bare: withoutEntries(full) }
    overlays.set(key, made)
    return made
  }
}

const overlayKey = ({ underlay, overlay }: GroupState): string => `${underlay?.spec.asn} ${overlay}`

function touches({ blocks }: Touched, group: Group): boolean {
  return blocks.size > 0 && group.blocks.some((each: Block) => blocks.has(each))
}

function sameSecrets(a: Secrets, b: Secrets): boolean {
  if (a === b) return true
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => a[name] === b[name] || JSON.stringify(a[name]) === JSON.stringify(b[name]))
  )
}
