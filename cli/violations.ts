/** Violations of rules across objects, as lines that name file and line. */
import type { Document } from '../api/manifest/read.ts'
import { formatProblem, shown } from '../api/manifest/problem.ts'
import type { ObjectRef } from '../api/kinds/kinds.ts'
import { nameOf, type Violation } from '../api/rules/violation.ts'

/** `red.yaml:8: L3VNI/red: spec.vni: 100 VNI 100 belongs to ... (blue.yaml:8) [VNIConflict]; use a VNI that is free`. */
export function formatViolation(violation: Violation, documents: readonly Document[]): string {
  const document = find(documents, violation.object)
  const other = violation.other && find(documents, violation.other)
  const place = other ? ` (${other.file}:${other.line})` : ''
  const value = shown(violation.value)
  return formatProblem({
    file: document?.file ?? '(no file)',
    line: document ? lineOf(document, violation.field) : 0,
    object: violation.object,
    field: violation.field,
    ...(value === undefined ? {} : { value: `${value}:` }),
    message: `${violation.message}${place} [${violation.reason}]`,
    remedy: violation.remedy,
  })
}

function find(documents: readonly Document[], ref: ObjectRef): Document | undefined {
  return documents.find(({ object }) => nameOf({ kind: object.kind, name: object.metadata.name }) === nameOf(ref))
}

/** The field's line, or that of what is nearest above it. */
function lineOf(document: Document, field: string): number {
  for (let at = field; at !== ''; at = at.replace(/(\.|^)?[^.[]*(\[[^\]]*\])?$/, '')) {
    const line = document.lines[at]
    if (line !== undefined) return line
    if (at === at.replace(/(\.|^)?[^.[]*(\[[^\]]*\])?$/, '')) break
  }
  return document.line
}
