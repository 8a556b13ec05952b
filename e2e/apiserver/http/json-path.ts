/** Kubernetes' JSONPath, as far as printer columns use it: fields, `[0]`, `[*]`, `[?(@.type=="Ready")]`. */
import { isFields } from '../object.ts'

type Step = (value: unknown) => readonly unknown[]

const step =
  /\.([A-Za-z_$][\w$-]*)|\['([^']+)'\]|\[(\d+)\]|\[(\*)\]|\[\?\(@\.([\w.-]+)\s*==\s*(?:"([^"]*)"|'([^']*)'|([\w.-]+))\)\]/y

const field = (value: unknown, key: string): readonly unknown[] =>
  isFields(value) && value[key] !== undefined ? [value[key]] : []

function stepOf([, name, quoted, index, all, key, ...values]: RegExpExecArray): Step {
  if (name !== undefined || quoted !== undefined) return (value) => field(value, name ?? quoted ?? '')
  if (index !== undefined)
    return (value) => (Array.isArray(value) ? (value as unknown[]).slice(Number(index), Number(index) + 1) : [])
  if (all !== undefined) return (value) => (Array.isArray(value) ? value : isFields(value) ? Object.values(value) : [])
  const wanted = values.find((each) => each !== undefined)
  return (value) => {
    if (!Array.isArray(value)) return []
    return value.filter((each: unknown) => {
      const found = (key ?? '').split('.').reduce<unknown>((at, part) => (isFields(at) ? at[part] : undefined), each)
      return String(found) === wanted
    })
  }
}

/** Everything the path finds. @throws Error when the path is none. */
export function jsonPath(path: string, root: unknown): readonly unknown[] {
  let found: readonly unknown[] = [root]
  for (let at = 0; at < path.length;) {
    step.lastIndex = at
    const match = step.exec(path)
    if (!match) throw new Error(`${path} is no JSONPath that printer columns take`)
    at = step.lastIndex
    found = found.flatMap(stepOf(match))
  }
  return found
}
