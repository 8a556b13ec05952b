/**
 * What the files on this node declare, before anything is planned: reads the directory, keeps each file at its newest
 * good version, and works out which node this is.
 *
 * Whatever cannot be known (a directory that is gone, files that never were good) is not known, rather than empty. An
 * empty directory is known: nothing is wanted.
 */
import { readFileSync } from 'node:fs'
import { formatProblem } from '../../api/manifest/problem.ts'
import { parseNodeFile, type NodeFile } from '../../api/manifest/node-file.ts'
import { joined, readManifest, type Document } from '../../api/manifest/read.ts'
import { snapshotOf, type Snapshot } from '../../api/snapshot/snapshot.ts'
import { arrivals, inOrderOfArrival, type Arrivals } from '../../files/arrival.ts'
import { readDirectory } from '../../files/directory.ts'
import { goodTexts, merged, restored, type Files, type FileState, type Parsed } from '../../files/files.ts'
import { messageOf } from '../../log/log.ts'
import { sameOr } from './held-plan.ts'
import { loadKeptNumber, saveKeptNumber } from './kept-number.ts'
import { identify, type NodeIdentity, type NodeKnowledge } from './node-number.ts'

export interface StaticFilesOptions {
  readonly configDir: string
  readonly stateDir: string
  readonly nodeFile?: string
  readonly node?: string
  readonly index?: number
  readonly hostName: string
  readonly addressesOf: NodeKnowledge['addressesOf']
  /** A directory that never was there is one without files: the plan comes from elsewhere. @default false */
  readonly mayLack?: boolean
}

/** Something about the configuration that its user should know. */
export interface SourceProblem {
  /** File name, directory or flag that it is about. */
  readonly where: string
  readonly message: string
}

export interface FilesReading {
  /** Absent: it is not known what the files want. */
  readonly snapshot?: Snapshot
  readonly node: NodeIdentity
  readonly problems: readonly SourceProblem[]
  readonly files: number
  /** A file is being written: read again soon. */
  readonly unsettled: boolean
}

/** What is kept on disk of files. */
export interface StoredFiles {
  readonly files: Readonly<Record<string, string>>
  readonly arrivals: Arrivals
}

/** What the files that are there declare together. */
interface Content {
  /** The directory could be read. */
  readonly isKnown: boolean
  readonly documents: readonly (readonly Document[])[]
  readonly snapshot: Snapshot
  readonly repeated: readonly SourceProblem[]
}

export class StaticFiles {
  readonly #options: StaticFilesOptions
  #files: Files<Document>
  #arrivals: Arrivals
  #content: Content | undefined

  constructor(options: StaticFilesOptions, stored: StoredFiles) {
    this.#options = options
    this.#arrivals = stored.arrivals
    this.#files = restored(stored.files, parse)
  }

  get stored(): StoredFiles {
    return { files: goodTexts(this.#files), arrivals: this.#arrivals }
  }

  /** What the files said last, without looking. */
  get remembered(): Snapshot {
    const documents = [...this.#files.values()].flatMap((file) => file.documents)
    const objects = joined([{ documents, problems: [], warnings: [] }]).documents.map(({ object }) => object)
    return snapshotOf(inOrderOfArrival(objects, this.#arrivals))
  }

  /** Never throws: what is wrong is in `problems`. `nowMs` is the time of day. */
  read(nowMs: number): FilesReading {
    const { configDir, mayLack } = this.#options
    const problems: SourceProblem[] = []
    const directory = readDirectory(configDir, nowMs)
    const lacks = directory.type === 'away' && mayLack === true && this.#files.size === 0
    if (directory.type === 'read') this.#files = merged(this.#files, directory.files, parse)
    else if (!lacks) problems.push({ where: configDir, message: `${directory.message}; what was applied stays` })
    const states = directory.type === 'read' ? [...this.#files] : []
    for (const [where, state] of states) for (const message of state.problems) problems.push({ where, message })
    const neverGood = states.some(([, state]) => state.good === undefined)
    const { snapshot, repeated, documents } = this.#contentOf(states, directory.type === 'read')
    problems.push(...repeated)
    const known = lacks || (directory.type === 'read' && !(neverGood && documents.every(({ length }) => length === 0)))
    return {
      ...(known ? { snapshot } : {}),
      node: this.#identify(snapshot, problems),
      problems,
      files: states.length,
      unsettled: states.some(([, state]) => state.unsettled),
    }
  }

  /** The same as last time when every file says what it said. */
  #contentOf(states: readonly (readonly [string, FileState<Document>])[], isKnown: boolean): Content {
    const parts = states.map(([, state]) => state.documents)
    const before = this.#content
    const same = before?.isKnown === isKnown && sameOr(before.documents, parts) === before.documents
    if (before !== undefined && same) return before
    const { documents, problems } = joined([{ documents: parts.flat(), problems: [], warnings: [] }])
    const objects = documents.map(({ object }) => object)
    if (isKnown) this.#arrivals = arrivals(this.#arrivals, objects)
    this.#content = {
      isKnown,
      documents: parts,
      snapshot: snapshotOf(inOrderOfArrival(objects, this.#arrivals)),
      repeated: problems.map((problem) => ({ where: problem.file, message: formatProblem(problem) })),
    }
    return this.#content
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
    if ('index' in number && number.keep !== undefined) {
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
