/** What nodeleaf writes back. `kubectl wait --for=condition=Ready` is meaningful for every kind. */
import * as z from 'zod'
import type { Column } from './kind.ts'

const count = z.int().min(0)

const condition = z.strictObject({
  type: z.string().min(1).max(316).describe('Which condition.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  observedGeneration: count.optional().describe('The generation of the spec that was looked at.'),
  lastTransitionTime: z.string().max(64).meta({ format: 'date-time' }).describe('When the status changed last.'),
  reason: z
    .string()
    .max(1024)
    .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
    .describe('Why, in one CamelCase word.'),
  message: z.string().max(32768).describe('Why, for people: names node and cause.'),
})

export const conditions = z
  .array(condition)
  .max(16)
  .optional()
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })

export const status = z.strictObject({
  conditions: conditions.describe('Accepted: no rule refuses it. Ready: it works on every node selected.'),
  nodes: z
    .strictObject({
      selected: count.describe('Nodes that the selector selects.'),
      ready: count.describe('Of these, nodes where it works.'),
      failed: count.describe('Of these, nodes where it failed.'),
      summary: z.string().max(32).optional().describe('`ready/selected`, for the column.'),
    })
    .optional()
    .describe('On how many nodes it works.'),
})

export const ready: Column = {
  name: 'Ready',
  type: 'string',
  path: '.status.conditions[?(@.type=="Ready")].status',
  description: 'Whether it works on every node selected.',
}

export const stateColumns: readonly Column[] = [
  ready,
  { name: 'Nodes', type: 'string', path: '.status.nodes.summary', description: 'Nodes ready of nodes selected.' },
]

export const reason: Column = {
  name: 'Reason',
  type: 'string',
  path: '.status.conditions[?(@.type=="Ready")].reason',
  wide: true,
}

export const age: Column = { name: 'Age', type: 'date', path: '.metadata.creationTimestamp' }
