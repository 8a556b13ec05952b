/** metav1.LabelSelector. */
interface Requirement {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[]
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly Requirement[]
}

export function matches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
  return equal && (selector.matchExpressions ?? []).every((each) => holds(each, labels[each.key]))
}

function holds({ operator, values = [] }: Requirement, label: string | undefined): boolean {
  if (operator === 'In') return label !== undefined && values.includes(label)
  if (operator === 'NotIn') return label === undefined || !values.includes(label)
  return (operator === 'Exists') === (label !== undefined)
}
