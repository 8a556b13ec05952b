/** The resources of examples/demo, as they are. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export const DEMO = join(import.meta.dirname, '..', '..', 'examples', 'demo')

/** Name to text, sorted by name; for `lab.writeConfig`. */
export async function demoFiles(): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(DEMO)).filter((name) => name.endsWith('.yaml')).sort()
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(DEMO, name), 'utf8')] as const)),
  )
}
