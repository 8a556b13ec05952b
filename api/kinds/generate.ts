/** Writes deploy/crds and docs/reference/api.md. Run by hack/generate; a test fails when they are stale. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crdFile, crdText } from './crd.ts'
import { kinds } from './kinds.ts'
import { referenceText } from './reference.ts'

/** Every generated file, by its path below the project's root. */
export function generated(): ReadonlyMap<string, string> {
  return new Map([
    ...kinds.map((kind): [string, string] => [`deploy/crds/${crdFile(kind)}`, crdText(kind)]),
    ['docs/reference/api.md', referenceText(kinds)],
  ])
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '../..')
  mkdirSync(join(root, 'deploy/crds'), { recursive: true })
  mkdirSync(join(root, 'docs/reference'), { recursive: true })
  for (const stale of readdirSync(join(root, 'deploy/crds'))) rmSync(join(root, 'deploy/crds', stale))
  for (const [path, text] of generated()) {
    writeFileSync(join(root, path), text)
    process.stdout.write(`${path}\n`)
  }
}
