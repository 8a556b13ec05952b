/** Kubernetes label selectors: which nodes a resource is for, and whether two of them can select the same node. */
import * as z from 'zod'
import { cel } from './cel.ts'

const labelKey = z.string().min(1).max(317)
const labelValue = z.string().max(63)

const requirement = z
  .strictObject({
    key: labelKey.describe('The label.'),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('How the label is compared.'),
    values: z.array(labelValue).max(64).optional().describe('Values for In and NotIn.'),
  })
  .meta(
    cel({
      rule: "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
      message: 'operator and values do not fit',
      remedy: 'give values with In and NotIn, and none with Exists and DoesNotExist',
      fieldPath: '.values',
    }),
  )

const labelSelector = z.strictObject({
  matchLabels: z
    .record(labelKey, labelValue)
    .optional()
    .meta({ maxProperties: 64 })
    .describe('Labels with exactly these values.'),
  matchExpressions: z.array(requirement).max(64).optional().describe('Conditions that must all hold.'),
})

export const nodeSelector = labelSelector
  .optional()
  .describe('The nodes this is for, by their labels. Default: all nodes.')

export type LabelSelector = z.infer<typeof labelSelector>
export type Labels = Readonly<Record<string, string>>
type Requirement = z.infer<typeof requirement>

/** Whether a node with these labels is selected; no selector selects every node. */
export function selects(selector: LabelSelector | undefined, labels: Labels): boolean {
  return requirementsOf(selector).every((each) => holds(each, valueOf(labels, each.key)))
}

const valueOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined

/** Whether some node, existing or not, could be selected by both. Keys are independent, so each is decided by itself. */
export function canMeet(a: LabelSelector | undefined, b: LabelSelector | undefined): boolean {
  const byKey = Map.groupBy([...requirementsOf(a), ...requirementsOf(b)], (each) => each.key)
  return [...byKey.values()].every((each) => candidates(each).some((value) => each.every((one) => holds(one, value))))
}

function requirementsOf(selector: LabelSelector | undefined): readonly Requirement[] {
  const labels = Object.entries(selector?.matchLabels ?? {})
  return [
    ...labels.map(([key, value]): Requirement => ({ key, operator: 'In', values: [value] })),
    ...(selector?.matchExpressions ?? []),
  ]
}

/** As in Kubernetes, NotIn also holds where the label is absent. */
function holds(one: Requirement, value: string | undefined): boolean {
  const values = one.values ?? []
  switch (one.operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
  }
}

/** Values of a label that tell all cases apart: absent, each value named, and one that nobody names. */
function candidates(requirements: readonly Requirement[]): readonly (string | undefined)[] {
  const named = requirements.flatMap((each) => each.values ?? [])
  return [undefined, ...named, named.join() + '-another']
}
