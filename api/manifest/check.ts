/** From whatever someone wrote to an object of a kind, or everything that is wrong with it. Pure. */
import * as z from 'zod'
import { jsonSchemaOf, withDefaults, type JsonSchema } from '../kinds/json-schema.ts'
import type { Kind } from '../kinds/kind.ts'
import type { AnyResource } from '../kinds/kinds.ts'
import { blame, brokenRules, holds } from '../kinds/rules.ts'
import type { Secret } from '../snapshot/snapshot.ts'
import { issuesOf, type Issue } from './issue.ts'
import { metadata, namespacedMetadata } from './metadata.ts'
import { isBeneath, pathText, valueAt, type Path } from './path.ts'

export type Checked<T> = { readonly object: T } | { readonly issues: readonly Issue[] }

interface Shape {
  readonly schema: z.ZodType<{ readonly metadata: z.infer<typeof metadata>; readonly spec: unknown }>
  readonly json: JsonSchema
}

const shapes = new WeakMap<Kind, Shape>()

/** The whole object of a kind; made once, since thousands of objects are checked against it. */
function shapeOf(kind: Kind): Shape {
  const known = shapes.get(kind)
  if (known) return known
  const schema = z.strictObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata,
    spec: kind.spec,
    status: z.unknown().optional(),
  })
  const shape = { schema, json: jsonSchemaOf(schema) }
  shapes.set(kind, shape)
  return shape
}

/** Schema, list types and CEL rules: what the API server checks, and the deeper look at addresses that it cannot take. */
export function checkResource(kind: Kind, raw: unknown): Checked<AnyResource> {
  const { schema, json } = shapeOf(kind)
  const parsed = schema.safeParse(raw)
  const issues = parsed.success ? [] : firstOfEachPath(parsed.error.issues.flatMap((each) => issuesOf(each, raw, json)))
  const all = [...issues, ...rulesOfObject(kind, raw, issues), ...rulesOfSpec(json, raw, issues)]
  if (all.length > 0 || !parsed.success) return { issues: all }
  const { name, labels, creationTimestamp } = parsed.data.metadata
  const object = {
    kind: kind.name,
    metadata: { name, ...(labels ? { labels } : {}), ...(creationTimestamp ? { creationTimestamp } : {}) },
    spec: parsed.data.spec,
  }
  return { object: object as AnyResource }
}

/** What is said of a value after that it is of the wrong type has no worth. */
function firstOfEachPath(issues: readonly Issue[]): readonly Issue[] {
  return [...new Map(issues.toReversed().map((each) => [pathText(each.path), each])).values()].toReversed()
}

function rulesOfObject(kind: Kind, raw: unknown, issues: readonly Issue[]): readonly Issue[] {
  if (issues.some((each) => each.path.length === 0 || each.path[0] === 'metadata')) return []
  return kind.rules.filter((each) => !holds(each.rule, raw)).map((each) => blame(each, []))
}

/** A rule over a value that is no mapping at all, or one with a misspelt field, would only repeat what is said already. */
function rulesOfSpec(json: JsonSchema, raw: unknown, issues: readonly Issue[]): readonly Issue[] {
  const unfit = (path: Path): boolean =>
    issues.some((each) => isBeneath(path, each.path) || (each.unknown && isBeneath(each.path.slice(0, -1), path)))
  const spec = json.properties?.['spec'] ?? {}
  const value = valueAt(raw, ['spec'])
  return brokenRules(spec, withDefaults(spec, value), unfit, ['spec'])
}

const secretSchema = z.looseObject({
  metadata: namespacedMetadata,
  data: z.record(z.string(), z.base64({ error: () => 'is not base64' })).optional(),
  stringData: z.record(z.string(), z.string()).optional(),
})

/** A v1 Secret. No issue repeats a value of it. */
export function checkSecret(raw: unknown): Checked<Secret> {
  const parsed = secretSchema.safeParse(raw)
  if (!parsed.success)
    return {
      issues: parsed.error.issues.map((each) => ({
        path: each.path as Path,
        message: each.message.startsWith('is ') ? each.message : 'is not what a Secret has here',
        remedy: each.path[0] === 'data' ? 'write base64 in data, or plain text in stringData' : 'correct it',
      })),
    }
  const decoded = Object.entries(parsed.data.data ?? {}).map(([key, value]): [string, string] => [
    key,
    Buffer.from(value, 'base64').toString('utf8'),
  ])
  const data = Object.fromEntries([...decoded, ...Object.entries(parsed.data.stringData ?? {})])
  return { object: { kind: 'Secret', metadata: { name: parsed.data.metadata.name }, data } }
}
