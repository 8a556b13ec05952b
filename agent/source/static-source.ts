/**
 * Static mode: the plan comes from files on this node, before there is a cluster to ask.
 *
 * Whatever cannot be known (a directory that is gone, a node without a number, files that never were good) leaves the
 * plan as it was; after a boot, that is the last good one from the disk. An empty directory is known: nothing is wanted.
 */
import { readFileSync } from 'node:fs'
import { formatProblem } from '../../api/manifest/problem.ts'
import { joined, readManifest, type Document } from '../../api/manifest/read.ts'
import { recordedAddresses } from '../../api/plan/node-facts.ts'
import { plan } from '../../api/plan/plan.ts'
import { revisionOf } from '../../api/plan/revision.ts'
import { snapshotOf, type Snapshot } from '../../api/snapshot/snapshot.ts'
import { messageOf } from '../../log/log.ts'
import { arrivals, inOrderOfArrival, type Arrivals } from '../../files/arrival.ts'
import { readDirectory } from '../../files/directory.ts'
import { goodTexts, merged, restored, type Files, type Parsed } from '../../files/files.ts'
import { loadKeptNumber, saveKeptNumber } from './kept-number.ts'
import { loadLastGood, saveLastGood, type LastGood } from './last-good.ts'
import { parseNodeFile, type NodeFile } from '../../api/manifest/node-file.ts'
import { identify, type NodeIdentity, type NodeKnowledge } from './node-number.ts'
import type { Planned } from './planned.ts'

export interface StaticSourceOptions {
  readonly configDir: string
  readonly stateDir: string
  readonly nodeFile?: string
  readonly node?: string
  readonly index?: number
  readonly hostName: string
  readonly addressesOf: NodeKnowledge['addressesOf']
}

/** Something about the configuration that its user should know. */
export interface SourceProblem {
  /** File name, directory or flag that it is about. */
  readonly where: string
  readonly message: string
}

export interface SourceReading {
  /** What to apply; absent: nothing is known, leave everything as it is. */
  readonly planned?: Planned
  readonly node: NodeIdentity
  readonly problems: readonly SourceProblem[]
  readonly files: number
  /** A file is being written, or a problem was solved by this reading: read again soon. */
  readonly unsettled: boolean
  /** Revision on disk. */
  readonly lastGood?: string
}

export class StaticSource {
  readonly #options: StaticSourceOptions
  /** What is wrong with what is stored, until it is stored anew. */
  #stored: readonly SourceProblem[]
  #lastGood: LastGood | undefined
  #files: Files<Document>
  #arrivals: Arrivals
  #current: Planned | undefined

  constructor(options: StaticSourceOptions) {
    this.#options = options
    const { lastGood, problems } = loadLastGood(options.stateDir)
    this.#lastGood = lastGood
    this.#stored = problems.map((problem) => ({ where: options.stateDir, message: messageOf(problem) }))
    this.#arrivals = lastGood?.arrivals ?? {}
    this.#files = restored(lastGood?.files ?? {}, parse)
    if (lastGood !== undefined) {
      const { plan: stored, revision, refused } = lastGood
      this.#current = { plan: stored, revision, refused, from: 'last-good' }
    }
  }

  /** Reads everything and plans. Never throws: what is wrong is in `problems`. `nowMs` is the time of day. */
  read(nowMs: number): SourceReading {
    const { configDir } = this.#options
    const stored = this.#stored
    const problems: SourceProblem[] = [...stored]
    const directory = readDirectory(configDir, nowMs)
    if (directory.type === 'read') this.#files = merged(this.#files, directory.files, parse)
    else problems.push({ where: configDir, message: `${directory.message}; what was applied stays` })
    const states = directory.type === 'read' ? [...this.#files] : []
    for (const [where, state] of states) for (const message of state.problems) problems.push({ where, message })
    const all = { documents: states.flatMap(([, state]) => state.documents), problems: [], warnings: [] }
    const { documents, problems: repeated } = joined([all])
    for (const problem of repeated) problems.push({ where: problem.file, message: formatProblem(problem) })
    const neverGood = states.some(([, state]) => state.good === undefined)
    const objects = documents.map(({ object }) => object)
    if (directory.type === 'read') this.#arrivals = arrivals(this.#arrivals, objects)
    const snapshot = snapshotOf(inOrderOfArrival(objects, this.#arrivals))
    const node = this.#identify(snapshot, problems)
    const known = directory.type === 'read' && !(neverGood && documents.length === 0)
    if (known && 'index' in node.number) this.#plan(snapshot, node, node.number.index, problems)
    return {
      ...(this.#current === undefined ? {} : { planned: this.#current }),
      node,
      problems,
      files: states.length,
      unsettled: stored !== this.#stored || states.some(([, state]) => state.unsettled),
      ...(this.#lastGood === undefined ? {} : { lastGood: this.#lastGood.revision }),
    }
  }

  #plan(snapshot: Snapshot, node: NodeIdentity, index: number, problems: SourceProblem[]): void {
    try {
      const made = plan(snapshot, {
        ...recordedAddresses(snapshot, node.name, index),
        name: node.name,
        labels: node.labels,
        index,
      })
      this.#current = { ...made, revision: revisionOf(made.plan), from: 'configuration' }
      this.#keep(this.#current)
    } catch (error) {
      problems.push({ where: this.#options.configDir, message: messageOf(error) })
    }
  }

  /** Before it is applied, so that a reboot in the middle finds it. */
  #keep({ plan: kept, revision, refused }: Planned): void {
    const next: LastGood = { revision, plan: kept, refused, files: goodTexts(this.#files), arrivals: this.#arrivals }
    if (this.#stored.length === 0 && JSON.stringify(next) === JSON.stringify(this.#lastGood)) return
    saveLastGood(this.#options.stateDir, next)
    this.#lastGood = next
    if (this.#stored.length > 0) this.#stored = []
  }

  #identify(snapshot: Snapshot, problems: SourceProblem[]): NodeIdentity {
    const { node, index, nodeFile: path, hostName, addressesOf, stateDir } = this.#options
    const nodeFile = this.#nodeFile(path, problems)
    const kept = loadKeptNumber(stateDir)
    const identity = identify({
      ...(node === undefined ? {} : { nameFlag: node }),
      ...(index === undefined ? {} : { indexFlag: index }),
      ...(nodeFile === undefined ? {} : { nodeFile }),
      ...(kept === undefined ? {} : { kept }),
      hostName,
      addressesOf,
      routerNode: (name) => routerNode(snapshot, name),
    })
    const { number } = identity
    if ('problem' in number) problems.push({ where: 'node', message: number.problem })
    else if (number.keep !== undefined) {
      try {
        saveKeptNumber(stateDir, number.keep)
      } catch (error) {
        problems.push({ where: stateDir, message: `cannot keep the node's number: ${messageOf(error)}` })
      }
    }
    return identity
  }

  #nodeFile(path: string | undefined, problems: SourceProblem[]): NodeFile | undefined {
    if (path === undefined) return undefined
    try {
      return parseNodeFile(path, readFileSync(path, 'utf8'))
    } catch (error) {
      problems.push({ where: path, message: messageOf(error) })
      return undefined
    }
  }
}

function routerNode(snapshot: Snapshot, name: string): ReturnType<NodeKnowledge['routerNode']> {
  const found = snapshot.resources.find((each) => each.kind === 'RouterNode' && each.metadata.name === name)
  if (found?.kind !== 'RouterNode') return undefined
  return { index: found.spec.index, labels: found.metadata.labels ?? {} }
}

/** A file is bad when anything in it is; what is not nodeleaf's is passed over. */
function parse(file: string, text: string): Parsed<Document> {
  const { documents, problems } = readManifest(file, text)
  return { documents, problems: problems.map(formatProblem) }
}
