/**
 * What the files of a directory are taken to say: each file's newest good version. A bad file hurts neither the other
 * files nor its own last good version; a file that is gone takes its documents with it. Pure.
 */
import type { FileReading } from './directory.ts'

/** What a parser makes of one file. A file with problems is bad, even if some of its documents are good. */
export interface Parsed<T> {
  readonly documents: readonly T[]
  readonly problems: readonly string[]
}

export type Parse<T> = (file: string, text: string) => Parsed<T>

export interface FileState<T> {
  readonly documents: readonly T[]
  /** The text of the last good version; absent when there never was one. */
  readonly good?: string
  /** Why the newest version is not used. */
  readonly problems: readonly string[]
  readonly unsettled: boolean
  /** The text, good or bad, that `problems` speaks of, so that it is not parsed again; absent for an unreadable file. */
  readonly seen?: string
}

export type Files<T> = ReadonlyMap<string, FileState<T>>

/** A parser's throw is that file's problem, no one else's. */
function parsed<T>(parse: Parse<T>, file: string, text: string): Parsed<T> {
  try {
    return parse(file, text)
  } catch (error) {
    return { documents: [], problems: [error instanceof Error ? error.message : String(error)] }
  }
}

/** Last good texts from before the agent started, as the files they stand for. */
export function restored<T>(texts: Readonly<Record<string, string>>, parse: Parse<T>): Files<T> {
  return new Map(
    Object.entries(texts).flatMap(([name, text]) => {
      const { documents, problems } = parsed(parse, name, text)
      return problems.length > 0 ? [] : [[name, { documents, good: text, problems, unsettled: false, seen: text }]]
    }),
  )
}

/** The next state of every file, from its previous state and what was read now. */
export function merged<T>(previous: Files<T>, read: ReadonlyMap<string, FileReading>, parse: Parse<T>): Files<T> {
  return new Map([...read].map(([name, reading]) => [name, next(previous.get(name), name, reading, parse)]))
}

function next<T>(was: FileState<T> | undefined, name: string, reading: FileReading, parse: Parse<T>): FileState<T> {
  switch (reading.type) {
    case 'unsettled':
      return { documents: [], problems: [], ...was, unsettled: true }
    case 'unreadable':
      return {
        documents: was?.documents ?? [],
        ...(was?.good === undefined ? {} : { good: was.good }),
        problems: [reading.message],
        unsettled: false,
      }
    case 'text': {
      if (was !== undefined && was.seen === reading.text) return { ...was, unsettled: false }
      const { documents, problems } = parsed(parse, name, reading.text)
      if (problems.length === 0) {
        return { documents, good: reading.text, problems, unsettled: false, seen: reading.text }
      }
      if (was?.good !== undefined) return { ...was, problems, unsettled: false, seen: reading.text }
      return { documents, problems, unsettled: false, seen: reading.text }
    }
  }
}

/** The last good text of every file that has one. */
export function goodTexts<T>(files: Files<T>): Record<string, string> {
  return Object.fromEntries(
    [...files].flatMap(([name, state]) => (state.good === undefined ? [] : [[name, state.good]])),
  )
}
