/** Whether the metrics that alerts and dashboard ask for are those that the programs have. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const suffixes = /_(bucket|sum|count)$/

/** Names that start with `nodeleaf_` in a text. */
export function metricsIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(/\bnodeleaf_[a-z0-9_]+/g)].map(([name]) => name))].sort()
}

/** What is asked for and nobody has. The sources write a name whole, or without the prefix as a metric's first argument. */
export function unknownMetrics(text: string, root: string): readonly string[] {
  const files = globSync(['controller/**/*.ts', 'agent/status/*.ts'], { cwd: root }).filter(
    (path) => !path.includes('.test.'),
  )
  const sources = files.map((path) => readFileSync(join(root, path), 'utf8')).join('\n')
  return metricsIn(text).filter((name) => {
    const base = name.replace(suffixes, '')
    return ![name, base].some(
      (each) => sources.includes(`'${each}'`) || sources.includes(`'${each.replace('nodeleaf_', '')}'`),
    )
  })
}
