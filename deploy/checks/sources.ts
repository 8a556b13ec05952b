/** Which kinds of objects the controller's sources name, by the `plural: '...'` that each has there. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ControllerCall } from './controller-calls.ts'

/** Plurals that a source names and no call does, with the file; files of calls that are no more. */
export function undeclaredKinds(calls: readonly ControllerCall[], root: string): readonly string[] {
  const known = new Set(calls.flatMap(({ resources }) => resources.map((each) => each.split('/')[0])))
  const files = globSync('controller/**/*.ts', { cwd: root }).filter(
    (path) => !/\.test\.ts$|loopback-server/.test(path),
  )
  const unknown = files.flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(/\bplural: '([a-z0-9]+)'/g)]
      .filter(([, plural]) => !known.has(plural))
      .map(([, plural]) => `${path}: ${plural}`),
  )
  const gone = calls.filter(({ file }) => !files.some((path) => path.startsWith(`controller/${file}`)))
  return [...unknown, ...gone.map(({ file }) => `controller/${file} is not there`)]
}
