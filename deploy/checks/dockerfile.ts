/** What a Dockerfile copies from the project, and from its own stages. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

interface Instruction {
  readonly name: string
  readonly rest: string
}

/** One line for each path that is not there, each stage that is named before it is made, each base that changes. */
export function dockerfileProblems(text: string, root: string, ignored: readonly string[]): readonly string[] {
  const stages = new Set<string>()
  return instructions(text).flatMap(({ name, rest }) => {
    if (name === 'FROM') {
      const [base = '', , stage] = rest.split(/\s+/)
      const known = stages.has(base)
      if (stage !== undefined) stages.add(stage)
      return known || /:(?!latest$)[\w.-]+$/.test(base) ? [] : [`FROM ${base}: an image that changes`]
    }
    if (name !== 'COPY') return []
    const [, from] = /^--from=(\S+)/.exec(rest) ?? []
    if (from !== undefined) return stages.has(from) ? [] : [`COPY --from=${from}: there is no such stage before it`]
    const sources = rest.split(/\s+/).slice(0, -1)
    return [
      ...sources.filter((path) => !existsSync(join(root, path))).map((path) => `COPY ${path}: it is not there`),
      ...sources
        .filter((path) => path !== '.' && !included(path, ignored))
        .map((path) => `COPY ${path}: .dockerignore leaves it out`),
    ]
  })
}

/** ENV of the last stage, by name. */
export function environmentOf(text: string): Readonly<Record<string, string>> {
  const all = instructions(text)
  const stage = all.slice(all.findLastIndex(({ name }) => name === 'FROM'))
  return Object.fromEntries(stage.flatMap(({ name, rest }) => (name === 'ENV' ? assignments(rest) : [])))
}

/** `NAME=value "NAME=a b" NAME="a b"`, as in ENV of a Dockerfile and Environment of a unit. */
export function assignments(words: string): readonly [string, string][] {
  return [...words.matchAll(/(?:"(\w+)=([^"]*)"|(\w+)=(?:"([^"]*)"|(\S+)))/g)].map(([, a, b, c, d, e]) => [
    a ?? c ?? '',
    b ?? d ?? e ?? '',
  ])
}

/** Of a .dockerignore that begins with `*`: what it takes back in. */
function included(path: string, ignored: readonly string[]): boolean {
  const wanted = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  return wanted.some((each) => path === each || (each.endsWith('/') && path.startsWith(each)))
}

function instructions(text: string): readonly Instruction[] {
  const joined = text.replaceAll(/\\\n\s*/g, ' ')
  return joined.split('\n').flatMap((line) => {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    return name === undefined || rest === undefined ? [] : [{ name, rest }]
  })
}
