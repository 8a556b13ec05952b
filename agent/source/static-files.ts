/**
 * What the files on this node declare, before anything is planned: reads the directory, keeps each file at its newest
 * good version, and works out which node this is.
 *
 * Whatever cannot be known (a directory that is gone, files that never were good) is not known, rather than empty. An
 * empty directory is known: nothing is wanted.
 */
import { readFileSync } from 'node:fs'
import { formatProblem } from '../../api/manifest/problem.ts'
import type { NodeFile } from '../../api/manifest/node-file.ts'
import type { Document } from '../../api/manifest/read.ts'
import { snapshotOf, type Snapshot } from '../../api/snapshot/snapshot.ts'
import { arrivals, inOrderOfArrival, type Arrivals } from '../../files/arrival.ts'
import { hasFiles, readDirectory } from '../../files/directory.ts'
import { goodTexts, merged, restored, type Files, type FileState, type Parse } from '../../files/files.ts'
import { messageOf } from '../../log/log.ts'
import type * as FileReader from './file-reader.ts'
import { sameOr } from './held-plan.ts'
import { loadKeptNumber, saveKeptNumber } from './kept-number.ts'
import { identify, type NodeIdentity, type NodeKnowledge } from './node-number.ts'

export interface StaticFilesOptions {
  /** What understands files; without it they are left for later, and `lacksReader` tells when there are any. */
  readonly reader?: typeof FileReader
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
  #reader: typeof FileReader | undefined
  #lacksReader: boolean

  constructor(options: StaticFilesOptions, stored: StoredFiles) {
    const { reader, nodeFile } = options
    this.#options = options
    this.#arrivals = stored.arrivals
    this.#reader = reader
    this.#files = reader === undefined ? new Map() : restored(stored.files, parseWith(reader))
    const isNeeded = nodeFile !== undefined || Object.keys(stored.files).length > 0 || hasFiles(options.configDir)
    this.#lacksReader = reader === undefined && isNeeded
  }

  /** There are files to be understood. */
  get lacksReader(): boolean {
    return this.#lacksReader
  }

  /** Files are understood from the next reading on. */
  use(reader: typeof FileReader): void {
    this.#reader = reader
    this.#lacksReader = false
  }

  get stored(): StoredFiles {
    return { files: goodTexts(this.#files), arrivals: this.#arrivals }
  }

  /** What the files said last, without looking. */
  get remembered(): Snapshot {
    const { documents } = this.#joined([...this.#files.values()].map((file) => file.documents))
    return snapshotOf(
      inOrderOfArrival(
        documents.map(({ object }) => object),
        this.#arrivals,
      ),
    )
  }

  /** Never throws: what is wrong is in `problems`. `nowMs` is the time of day. */
  read(nowMs: number): FilesReading {
    const { configDir, mayLack } = this.#options
    const problems: SourceProblem[] = []
    const directory = readDirectory(configDir, nowMs)
    const lacks = directory.type === 'away' && mayLack === true && this.#files.size === 0
    const reader = this.#reader
    const isRead = directory.type === 'read' && (reader !== undefined || directory.files.size === 0)
    if (isRead) this.#files = merged(this.#files, directory.files, parseWith(reader))
    else if (directory.type === 'read') this.#lacksReader = true
    else if (!lacks) problems.push({ where: configDir, message: `${directory.message}; what was applied stays` })
    const states = isRead ? [...this.#files] : []
    for (const [where, state] of states) for (const message of state.problems) problems.push({ where, message })
    const neverGood = states.some(([, state]) => state.good === undefined)
    const { snapshot, repeated, documents } = this.#contentOf(states, isRead)
    problems.push(...repeated)
    const known = lacks || (isRead && !(neverGood && documents.every(({ length }) => length === 0)))
    return {
      ...(known ? { snapshot } : {}),
      node: this.#identify(snapshot, problems),
      problems,
      files: states.length,
      unsettled: this.#lacksReader || states.some(([, state]) => state.unsettled),
    }
  }

  /** The same as last time when every file says what it said. */
  #contentOf(states: readonly (readonly [string, FileState<Document>])[], isKnown: boolean): Content {
    const parts = states.map(([, state]) => state.documents)
    const before = this.#content
    const same = before?.isKnown === isKnown && sameOr(before.documents, parts) === before.documents
    if (before !== undefined && same) return before
    const { documents, problems } = this.#joined(parts)
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

  #joined(
    parts: readonly (readonly Document[])[],
  ): Pick<ReturnType<typeof FileReader.joined>, 'documents' | 'problems'> {
    const documents = parts.flat()
    return this.#reader?.joined([{ documents, problems: [], warnings: [] }]) ?? { documents, problems: [] }
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
    if (path === undefined || this.#reader === undefined) return undefined
    try {
      return this.#reader.parseNodeFile(path, readFileSync(path, 'utf8'))
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
function parseWith(reader: typeof FileReader | undefined): Parse<Document> {
  return (file, text) => {
    const { documents = [], problems = [] } = reader?.readManifest(file, text) ?? {}
    return { documents, problems: problems.map(formatProblem) }
  }
}
