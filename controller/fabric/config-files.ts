/**
 * What the files of `--config-dir` declare: each file at its newest good version, objects in the order they came, and a
 * generation for each that grows with its spec. What is needed after a restart is kept in one file; it holds Secrets.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { formatProblem } from '../../api/manifest/problem.ts'
import { joined, readManifest, type Document } from '../../api/manifest/read.ts'
import type { AnyResource } from '../../api/kinds/kinds.ts'
import type { Secret } from '../../api/snapshot/snapshot.ts'
import { arrivals, inOrderOfArrival, type Arrivals } from '../../files/arrival.ts'
import { readDirectory } from '../../files/directory.ts'
import { writeDurably } from '../../files/durable.ts'
import { goodTexts, merged, restored, type Files, type Parsed } from '../../files/files.ts'
import { keyOf } from './world.ts'

export interface ConfigReading {
  readonly resources: readonly AnyResource[]
  readonly secrets: readonly Secret[]
  /** Of each object, by `Kind/name`. */
  readonly generations: ReadonlyMap<string, number>
  /** What is wrong with the files. */
  readonly problems: readonly string[]
  /** A file is being written: read again soon. */
  readonly unsettled: boolean
}

interface Kept {
  readonly files: Readonly<Record<string, string>>
  readonly arrivals: Arrivals
  readonly generations: Readonly<Record<string, Generation>>
}

interface Generation {
  readonly digest: string
  readonly generation: number
}

export class ConfigFiles {
  readonly #directory: string
  readonly #kept: string
  #files: Files<Document>
  #arrivals: Arrivals
  #generations: Readonly<Record<string, Generation>>
  #written: string

  /** `kept` is the file for what must survive a restart. @throws when it is there and cannot be read */
  constructor(directory: string, kept: string) {
    this.#directory = directory
    this.#kept = kept
    this.#written = textOf(kept)
    const { files, arrivals: order, generations } = parsedKept(this.#written, kept)
    this.#files = restored(files, parse)
    this.#arrivals = order
    this.#generations = generations
  }

  /** Undefined when the directory cannot be read, with the reason. `nowMs` is the time of day. @throws when it cannot keep what it read */
  read(nowMs: number): ConfigReading | { readonly away: string } {
    const directory = readDirectory(this.#directory, nowMs)
    if (directory.type === 'away') return { away: directory.message }
    this.#files = merged(this.#files, directory.files, parse)
    const states = [...this.#files.values()]
    const all = { documents: states.flatMap(({ documents }) => documents), problems: [], warnings: [] }
    const { documents, problems: repeated } = joined([all])
    const objects = documents.map(({ object }) => object)
    this.#arrivals = arrivals(this.#arrivals, objects)
    this.#generations = generationsOf(this.#generations, objects)
    this.#keep()
    const ordered = inOrderOfArrival(objects, this.#arrivals)
    return {
      resources: ordered.filter((each) => each.kind !== 'Secret'),
      secrets: ordered.filter((each) => each.kind === 'Secret'),
      generations: new Map(Object.entries(this.#generations).map(([key, { generation }]) => [key, generation])),
      problems: [...states.flatMap(({ problems }) => problems), ...repeated.map(formatProblem)],
      unsettled: states.some(({ unsettled }) => unsettled),
    }
  }

  #keep(): void {
    const kept: Kept = { files: goodTexts(this.#files), arrivals: this.#arrivals, generations: this.#generations }
    const text = `${JSON.stringify(kept)}\n`
    if (text === this.#written) return
    writeDurably(this.#kept, text)
    this.#written = text
  }
}

function generationsOf(
  before: Readonly<Record<string, Generation>>,
  objects: readonly (AnyResource | Secret)[],
): Readonly<Record<string, Generation>> {
  return Object.fromEntries(
    objects
      .filter((object) => object.kind !== 'Secret')
      .map((object): [string, Generation] => {
        const key = keyOf({ kind: object.kind, name: object.metadata.name })
        const digest = createHash('sha256').update(JSON.stringify(object.spec)).digest('hex').slice(0, 16)
        const was = before[key]
        return [key, was?.digest === digest ? was : { digest, generation: (was?.generation ?? 0) + 1 }]
      }),
  )
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

function parsedKept(text: string, path: string): Kept {
  if (text === '') return { files: {}, arrivals: {}, generations: {} }
  try {
    return JSON.parse(text) as Kept
  } catch (error) {
    throw new Error(`${path} is damaged: remove it; bad files will then have no last good version`, { cause: error })
  }
}

/** A file is bad when anything in it is; what is not nodeleaf's is passed over. */
function parse(file: string, text: string): Parsed<Document> {
  const { documents, problems } = readManifest(file, text)
  return { documents, problems: problems.map(formatProblem) }
}
