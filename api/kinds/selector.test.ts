import test from 'ava'
import * as fc from 'fast-check'
import { canMeet, selects, type LabelSelector } from './selector.ts'

const key = fc.constantFrom('a', 'b')
const value = fc.constantFrom('1', '2', '3')
const selectors: fc.Arbitrary<LabelSelector> = fc.record({
  matchLabels: fc.dictionary(key, value),
  matchExpressions: fc.array(
    fc.oneof(
      fc.record({
        key,
        operator: fc.constantFrom('In' as const, 'NotIn' as const),
        values: fc.array(value, { minLength: 1 }),
      }),
      fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) }),
    ),
    { maxLength: 3 },
  ),
})

/** Every node there can be over two labels; "4" stands for all values that no selector names. */
const values = [undefined, '1', '2', '3', '4']
const nodes = values.flatMap((a) => values.map((b) => ({ ...(a && { a }), ...(b && { b }) }) as Record<string, string>))

test('two selectors can meet exactly when some node is selected by both', (t) => {
  fc.assert(
    fc.property(selectors, selectors, (one, other) => {
      t.is(
        canMeet(one, other),
        nodes.some((node) => selects(one, node) && selects(other, node)),
      )
    }),
  )
})

test('no selector, and an empty one, select every node', (t) => {
  t.true(selects(undefined, {}))
  t.true(selects({}, { a: '1' }))
})

test('NotIn also selects nodes without the label, as in Kubernetes', (t) => {
  t.true(selects({ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, {}))
})

test('a label with the name of something that every JavaScript object has is no label that every node has', (t) => {
  for (const name of ['constructor', 'toString', '__proto__']) {
    t.false(selects({ matchExpressions: [{ key: name, operator: 'Exists' }] }, { rack: 'a' }), name)
    t.true(selects({ matchExpressions: [{ key: name, operator: 'DoesNotExist' }] }, { rack: 'a' }), name)
  }
})
