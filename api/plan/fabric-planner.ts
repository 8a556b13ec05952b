/**
 * Plans of all nodes of the fabric, kept up to date: what `plan` gives for each node, at the price of what changed.
 *
 * Nodes that the same selectors select are judged as one (`node-groups.ts`, `standing.ts`), and those with the same VNIs
 * share one overlay (`template.ts`). A node has only its router, its passthrough and the host's addresses for itself; its
 * revision is a sum that is corrected by the pieces that changed.
 */
import type { AnyResource } from '../kinds/kinds.ts'
import type { L2VNI } from '../kinds/l2vni.ts'
import type { L3Passthrough } from '../kinds/l3passthrough.ts'
import type { L3VNI } from '../kinds/l3vni.ts'
import type { Underlay } from '../kinds/underlay.ts'
import { nameOf, refOf, type Violation } from '../rules/violation.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
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

export class FabricPlanner {
  readonly #standing = new Standing()
  readonly #groups = new NodeGroups()
  #states = new WeakMap<Group, GroupState>()
  #vnis: VniLists = new Map()
  #overlays = new Map<string, Overlay>()
  readonly #nodes = new Map<string, NodeState>()
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
  underlays(snapshot: Snapshot, nodes: readonly LabeledNode[]): (node: string) => Underlay | undefined {
    this.#see(snapshot, nodes)
    return (node) => this.#groupState(node)?.underlay
  }

  /**
   * Plans anew what differs. Returns the names of the nodes whose version is another one (revision or refusals), also of
   * those that came and went. `facts`: one for each node.
   */
  update(snapshot: Snapshot, facts: readonly NodeFacts[]): readonly string[] {
    this.#see(snapshot, facts)
    const secretsChanged = !sameSecrets(this.#secrets, snapshot.secrets)
    if (secretsChanged) this.#secrets = snapshot.secrets
    const overlays = new Map<string, Overlay>()
    const changed: string[] = []
    const names = new Set<string>()
    for (const node of facts) {
      names.add(node.name)
      const group = this.#groupState(node.name)
      if (group && this.#plan(node, group, overlays, secretsChanged)) changed.push(node.name)
    }
    this.#overlays = overlays
    if (names.size === this.#nodes.size) return changed
    for (const name of this.#nodes.keys())
      if (!names.has(name)) {
        this.#nodes.delete(name)
        changed.push(name)
      }
    return changed
  }

  #groupState(node: string): GroupState | undefined {
    const group = this.#groups.groupOf(node)
    return group && this.#states.get(group)
  }

  /** Judges anew where a snapshot or other labels make a difference. */
  #see(snapshot: Snapshot, nodes: readonly LabeledNode[]): void {
    const touched = this.#standing.update(snapshot)
    this.#groups.update(nodes, touched)
    this.#standing.close(touched.closed)
    const vnis: VniLists = new Map()
    for (const group of this.#groups.all) {
      const before = this.#states.get(group)
      const state = before && !touches(touched, group) ? before : this.#judge(group, vnis)
      this.#states.set(group, state)
      vnis.set(state.overlay, state.vnis)
    }
    this.#vnis = vnis
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
  #plan(facts: NodeFacts, group: GroupState, overlays: Map<string, Overlay>, secretsChanged: boolean): boolean {
    const before = this.#nodes.get(facts.name)
    const { holders, refused: fabric } = this.#standing
    const { underlay, passthrough } = group
    const own = ownPart(facts, underlay, passthrough, this.#secrets, holders, before?.own)
    const overlay = this.#overlay(group, overlays, secretsChanged)
    const shape = own.router && own.router.vteps.length > 0 ? overlay.full : overlay.bare
    const kept = before && before.own === own && before.group === group && before.fabric === fabric
    if (kept && before.version.template === shape) return false
    const refusals = (): readonly Violation[] => refusalsOf(facts, fabric, group.refused, own, shape, passthrough)
    const version = new NodeVersion(facts, shape, own.pieces, refusals, before?.version)
    this.#nodes.set(facts.name, { own, group, fabric, version })
    return !before || !version.says(before.version)
  }

  #overlay(group: GroupState, overlays: Map<string, Overlay>, secretsChanged: boolean): Overlay {
    const asn = group.underlay?.spec.asn
    const key = `${asn} ${group.overlay}`
    const done = overlays.get(key)
    if (done) return done
    const before = this.#overlays.get(key)
    if (before && !secretsChanged && before.vnis === group.vnis) {
      overlays.set(key, before)
      return before
    }
    const full = template(group.vnis, asn, this.#secrets, before?.full)
    const made = before?.full === full ? before : { vnis: group.vnis, full, bare: withoutEntries(full) }
    overlays.set(key, made)
    return made
  }
}

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
