/** Helm, as a person runs it: `helm template` of the chart. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Manifest } from './manifest.ts'

export const root = join(import.meta.dirname, '../..')
const chart = join(root, 'deploy/helm/nodeleaf')
export const namespace = 'nodeleaf-system'

/** Text of what `helm template` makes of the chart. @throws Error with what Helm says against the values */
export function templateText(values: object = {}, release = 'nodeleaf'): string {
  return helm(['template', release, chart, '--namespace', namespace, '--values', '-'], JSON.stringify(values))
}

/** As objects. */
export function template(values: object = {}): readonly Manifest[] {
  return objectsIn(templateText(values))
}

/** What Helm itself finds wrong with the chart. @throws Error */
export function lint(values: object = {}): string {
  return helm(['lint', '--strict', chart, '--values', '-'], JSON.stringify(values))
}

/** The objects of a YAML text. @throws Error where it is no YAML */
export function objectsIn(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { uniqueKeys: true }).flatMap((document) => {
    if (!('errors' in document)) return []
    const [error] = document.errors
    if (error !== undefined) throw error
    const object = document.toJS() as Manifest | null
    return object === null ? [] : [object]
  })
}

function helm(args: readonly string[], input: string): string {
  try {
    return execFileSync(join(root, 'hack/helm'), args, { input, encoding: 'utf8', maxBuffer: 2 ** 26, stdio: 'pipe' })
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    throw new Error(`helm ${args[0]}: ${said.trim() || String(error)}`, { cause: error })
  }
}
