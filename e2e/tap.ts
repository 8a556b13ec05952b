/** TAP 13, as far as the runner needs it. https://testanything.org/tap-version-13-specification.html */
import type { ScenarioResult } from './event.ts'

/** Lines of diagnostics that are printed; a failure must be readable in a CI log. */
const MOST_LINES = 400

/** The lines that open the report. */
export function plan(count: number): string {
  return `TAP version 13\n1..${count}`
}

/** One test point, with what there is to say of it as comments. */
export function point(number: number, result: ScenarioResult): string {
  const lines = [
    `${result.ok ? 'ok' : 'not ok'} ${number} - ${result.name} # time=${(result.seconds * 1000).toFixed(0)}ms`,
  ]
  lines.push(...result.notes.map(comment))
  if (!result.ok) {
    lines.push(comment(`in step: ${result.step ?? ''}`), comment(result.message ?? ''))
    const diagnostics = (result.diagnostics ?? '').split('\n')
    if (diagnostics.length > MOST_LINES) diagnostics.splice(MOST_LINES, Infinity, '(cut off)')
    lines.push(comment(diagnostics.join('\n')))
  }
  return lines.join('\n')
}

function comment(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `#   ${line}`)
    .join('\n')
}
