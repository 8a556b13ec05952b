/**
 * Reads files of resources: YAML or JSON, several documents in a file, `kind: List` too. Every problem names its line;
 * a bad document never takes a good one with it. Pure: texts come in.
 */
import { LineCounter, isMap, isNode, isScalar, isSeq, parseAllDocuments, type Document as YamlDocument } from 'yaml'
import { apiVersion, group } from '../kinds/kind.ts'
import { kindNamed, kinds, type AnyResource } from '../kinds/kinds.ts'
import type { Secret } from '../snapshot/snapshot.ts'
import { checkResource, checkSecret } from './check.ts'
import type { Issue } from './issue.ts'
import { isBeneath, pathText, valueAt, type Path } from './path.ts'
import { shown, type Problem } from './problem.ts'
import { suggest } from './suggest.ts'

/** An object and where it stands. */
export interface Document {
  readonly object: AnyResource | Secret
  readonly file: string
  readonly line: number
  /** Line of each field, by its path: `spec.vni`. */
  readonly lines: Readonly<Record<string, number>>
}

export interface Reading {
  readonly documents: readonly Document[]
  readonly problems: readonly Problem[]
  /** What is passed over: objects of other API groups. */
  readonly warnings: readonly Problem[]
}

/** One YAML document, or one item of a list in it. */
interface Item {
  readonly file: string
  readonly raw: unknown
  readonly lineOf: (path: Path) => number
  /** Keys that stand twice in one mapping. */
  readonly repeated: readonly Path[]
}

/** Reads one file; `file` is its name in messages. */
export function readManifest(file: string, text: string): Reading {
  const counter = new LineCounter()
  const parsed = parseAllDocuments(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false })
  const documents = Array.isArray(parsed) ? parsed : []
  const { problems, ...rest } = concatenated(documents.map((each) => readDocument(file, each, counter)))
  return { ...rest, problems: problems.toSorted((a, b) => a.line - b.line) }
}

/** Everything that several readings found; of two objects with one name the first stays. */
export function joined(readings: readonly Reading[]): Reading {
  const first = new Map<string, Document>()
  const { documents, problems, warnings } = concatenated(readings)
  const repeated = documents.flatMap((document) => {
    const key = `${document.object.kind}/${document.object.metadata.name}`
    const before = first.get(key)
    if (!before) first.set(key, document)
    return before ? [duplicate(document, before)] : []
  })
  return { documents: [...first.values()], problems: [...problems, ...repeated], warnings }
}

function concatenated(readings: readonly Reading[]): Reading {
  return {
    documents: readings.flatMap((each) => each.documents),
    problems: readings.flatMap((each) => each.problems),
    warnings: readings.flatMap((each) => each.warnings),
  }
}

function duplicate(document: Document, first: Document): Problem {
  const { kind, metadata } = document.object
  return {
    file: document.file,
    line: document.line,
    object: { kind, name: metadata.name },
    field: 'metadata.name',
    value: shown(metadata.name) ?? '',
    message: `is there twice: the first is at ${first.file}:${first.line}, which stays`,
    remedy: 'remove or rename one of them',
  }
}

const nothing: Reading = { documents: [], problems: [], warnings: [] }

function readDocument(file: string, document: YamlDocument.Parsed, counter: LineCounter): Reading {
  const lineAt = (offset: number): number => counter.linePos(offset).line
  const start = lineAt(document.contents?.range[0] ?? document.range[0])
  if (document.errors.length > 0) {
    const object = named(document.get('kind'), document.getIn(['metadata', 'name']))
    return {
      ...nothing,
      problems: document.errors.map((each) => ({
        file,
        line: lineAt(each.pos[0]),
        ...object,
        ...syntax(each.code, each.message),
      })),
    }
  }
  let raw: unknown
  try {
    raw = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    const message = `cannot be read: ${(error as Error).message}`
    return { ...nothing, problems: [{ file, line: start, message, remedy: 'write it without aliases' }] }
  }
  if (raw === null || raw === undefined) return nothing
  const lineOf = (path: Path): number => lineAt(offsetOf(document, path) ?? document.contents?.range[0] ?? 0)
  return concatenated(itemsOf({ file, raw, lineOf, repeated: repeatedKeys(document.contents) }).map(readItem))
}

/** Where the value at a path starts, or what is nearest above it. Where there is a key, it is the key's place. */
function offsetOf(document: YamlDocument.Parsed, path: Path): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true)
    const key = path[length - 1]
    if (isMap(parent)) {
      const pair = parent.items.findLast((each) => keyText(each) === String(key))
      if (pair && isNode(pair.key) && pair.key.range) return pair.key.range[0]
    }
    const node: unknown = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return undefined
}

/** YAML forbids them, and the last one would win without a word. */
function repeatedKeys(node: unknown, path: Path = []): readonly Path[] {
  if (isSeq(node)) return node.items.flatMap((each, i) => repeatedKeys(each, [...path, i]))
  if (!isMap(node)) return []
  const keys = node.items.map(keyText)
  const here = keys.filter((key, i) => keys.indexOf(key) < i).map((key) => [...path, key])
  return [...here, ...node.items.flatMap((pair, i) => repeatedKeys(pair.value, [...path, keys[i] ?? '']))]
}

const keyText = (pair: { readonly key: unknown }): string => (isScalar(pair.key) ? String(pair.key.value) : '')

/** The objects of a list, or the object itself. */
function itemsOf(item: Item): readonly Item[] {
  const kind = valueAt(item.raw, ['kind'])
  const items = valueAt(item.raw, ['items'])
  const isList = kind === 'List' || kinds.some((each) => kind === `${each.name}List`)
  if (!isList || !Array.isArray(items)) return [item]
  return items.flatMap((raw: unknown, i) =>
    itemsOf({
      file: item.file,
      raw,
      lineOf: (path) => item.lineOf(['items', i, ...path]),
      repeated: item.repeated.filter((path) => isBeneath(path, ['items', i])).map((path) => path.slice(2)),
    }),
  )
}

function readItem(item: Item): Reading {
  const { file, raw, lineOf } = item
  const kind = valueAt(raw, ['kind'])
  const version = valueAt(raw, ['apiVersion'])
  const object = named(kind, valueAt(raw, ['metadata', 'name']))
  const problem = (field: string, message: string, remedy: string): Problem => {
    const value = shown(valueAt(raw, [field]))
    return { file, line: lineOf([field]), ...object, field, ...(value === undefined ? {} : { value }), message, remedy }
  }
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) {
    const value = shown(raw)
    const remedy = 'an object has apiVersion, kind, metadata and spec'
    return {
      ...nothing,
      problems: [{ file, line: lineOf([]), ...(value ? { value } : {}), message: 'is not an object', remedy }],
    }
  }
  if (item.repeated.length > 0)
    return {
      ...nothing,
      problems: item.repeated.map((path) => {
        const message = 'is there twice in one mapping'
        return { file, line: lineOf(path), ...object, field: pathText(path), message, remedy: 'remove one of the two' }
      }),
    }
  if (typeof version !== 'string' || version === '')
    return {
      ...nothing,
      problems: [problem('apiVersion', 'is missing or not a string', `write apiVersion: ${apiVersion}`)],
    }
  if (version === 'v1' && kind === 'Secret') return result(item, checkSecret(raw), true)
  if (version.split('/')[0] !== group) return foreign(problem, version, kind)
  if (version !== apiVersion)
    return {
      ...nothing,
      problems: [problem('apiVersion', 'is a version that this nodeleaf does not know', `write ${apiVersion}`)],
    }
  const known = typeof kind === 'string' ? kindNamed(kind) : undefined
  if (known) return result(item, checkResource(known, raw), false)
  const names = kinds.map((each) => each.name)
  const near = typeof kind === 'string' ? suggest(kind, names) : undefined
  const remedy = near === undefined ? `use one of ${names.join(', ')}` : `did you mean ${near}?`
  return {
    ...nothing,
    problems: [problem('kind', kind === undefined ? 'is missing' : 'is no kind of nodeleaf.io', remedy)],
  }
}

/** Other groups' objects are someone else's, unless the group or the version looks misspelt. */
function foreign(
  problem: (field: string, message: string, remedy: string) => Problem,
  version: string,
  kind: unknown,
): Reading {
  const ours = typeof kind === 'string' && kindNamed(kind) !== undefined
  if (ours) {
    const misspelt = suggest(version, [apiVersion]) !== undefined || !version.includes('/')
    if (misspelt)
      return { ...nothing, problems: [problem('apiVersion', 'is not the version of this kind', `write ${apiVersion}`)] }
  }
  return {
    ...nothing,
    warnings: [problem('apiVersion', 'is not nodeleaf.io: the object is passed over', 'remove it, or leave it')],
  }
}

function result(
  item: Item,
  checked: { readonly object: AnyResource | Secret } | { readonly issues: readonly Issue[] },
  secret: boolean,
): Reading {
  if ('object' in checked) {
    const lines = linesOf(item)
    return { ...nothing, documents: [{ object: checked.object, file: item.file, line: item.lineOf([]), lines }] }
  }
  const object = named(valueAt(item.raw, ['kind']), valueAt(item.raw, ['metadata', 'name']))
  return { ...nothing, problems: checked.issues.map((issue) => described(item, issue, object, secret)) }
}

function described(item: Item, issue: Issue, object: ReturnType<typeof named>, secret: boolean): Problem {
  const hidden = secret || /pass|secret/i.test(String(issue.path.at(-1)))
  const found = valueAt(item.raw, issue.path)
  const value = hidden ? undefined : shown(found)
  return {
    file: item.file,
    line: item.lineOf(issue.path),
    ...object,
    field: pathText(issue.path),
    ...(value === undefined ? {} : { value }),
    message: issue.message,
    remedy: issue.remedy,
  }
}

function named(kind: unknown, name: unknown): { readonly object?: { readonly kind: string; readonly name: string } } {
  if (typeof kind !== 'string') return {}
  return { object: { kind, name: typeof name === 'string' && name !== '' ? name : '(no name)' } }
}

/** The line of every field of the object. */
function linesOf(item: Item): Readonly<Record<string, number>> {
  const lines: Record<string, number> = {}
  const walk = (value: unknown, path: Path): void => {
    if (path.length > 0) lines[pathText(path)] = item.lineOf(path)
    if (value === null || typeof value !== 'object') return
    for (const [key, each] of Object.entries(value)) walk(each, [...path, Array.isArray(value) ? Number(key) : key])
  }
  walk(item.raw, [])
  return lines
}

/** The parser's complaint, with a remedy for what people do most. */
function syntax(code: string, message: string): Pick<Problem, 'message' | 'remedy'> {
  const remedies: Readonly<Record<string, string>> = {
    TAB_AS_INDENT: 'indent with spaces',
    BAD_INDENT: 'indent the keys of one mapping alike',
  }
  return { message: `is not YAML: ${message.split('\n')[0] ?? ''}`, remedy: remedies[code] ?? 'correct the syntax' }
}
