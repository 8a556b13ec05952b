/** What hack/manifests writes: the chart's CRDs, the all-in-one manifest, the reference of the values. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { root, templateText } from './helm.ts'
import { valuesText } from './values-table.ts'

const chartCrds = 'deploy/helm/nodeleaf/files/crds'

/** The chart's copies: Helm reads nothing outside a chart. */
export function crdCopies(): ReadonlyMap<string, string> {
  const names = readdirSync(join(root, 'deploy/crds'))
  return new Map(names.map((name) => [`${chartCrds}/${name}`, text(`deploy/crds/${name}`)]))
}

/** By path. Needs Helm, and the copies of the CRDs in place. */
export function rendered(): ReadonlyMap<string, string> {
  const head = '# Generated from deploy/helm/nodeleaf with default values by hack/manifests. Do not edit.\n'
  return new Map([
    ['deploy/nodeleaf.yaml', head + templateText({ namespace: { create: true } })],
    [
      'docs/reference/helm-values.md',
      valuesText(
        JSON.parse(text('deploy/helm/nodeleaf/values.schema.json')),
        parse(text('deploy/helm/nodeleaf/values.yaml')),
      ),
    ],
  ])
}

/** Paths whose content is not what it should be, and copies of CRDs that are no more. */
export function stale(files: ReadonlyMap<string, string>): readonly string[] {
  const different = [...files].filter(([path, content]) => textOrNothing(path) !== content).map(([path]) => path)
  return [...different, ...leftOver()]
}

function leftOver(): readonly string[] {
  const copies = crdCopies()
  return readdirSync(join(root, chartCrds))
    .map((name) => `${chartCrds}/${name}`)
    .filter((path) => !copies.has(path))
}

function text(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function textOrNothing(path: string): string | undefined {
  try {
    return text(path)
  } catch {
    return undefined
  }
}

function write(files: ReadonlyMap<string, string>): void {
  for (const [path, content] of files) {
    writeFileSync(join(root, path), content)
    process.stdout.write(`${path}\n`)
  }
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const found = [...stale(crdCopies()), ...stale(rendered())]
    for (const path of new Set(found)) process.stderr.write(`${path} is stale: run hack/manifests\n`)
    process.exitCode = found.length === 0 ? 0 : 1
  } else {
    for (const path of leftOver()) rmSync(join(root, path))
    write(crdCopies())
    write(rendered())
  }
}
