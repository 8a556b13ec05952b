import test from 'ava'
import { either, flag, integer, list, name, object, oneOf, optional, positive, text, variants } from './shape.ts'

test('data of the right shape passes, with fields that nobody knows', (t) => {
  const shape = object({
    id: either(integer, oneOf('auto')),
    names: list(name(3)),
    more: optional(text),
    on: flag,
    peer: variants({ address: { address: text }, range: { prefix: text } }),
    count: positive,
  })
  for (const id of [7, 'auto'])
    t.is(
      shape({ id, names: ['a', 'abc'], on: false, peer: { type: 'range', prefix: '::/0' }, count: 1, color: 'green' }),
      undefined,
    )
})

for (const [what, shape, value, path] of [
  ['a number for a text', object({ a: object({ b: text }) }), { a: { b: 1 } }, 'a.b'],
  ['a field that lacks', object({ a: list(object({ b: text })) }), { a: [{ b: '' }, {}] }, 'a.1.b'],
  ['a list for an object', object({}), [], ''],
  ['nothing for an object', object({}), null, ''],
  ['an object for a list', list(text), { length: 0 }, ''],
  ['a fraction', integer, 1.5, ''],
  ['zero for a number above it', positive, 0, ''],
  ['a name that is empty', name(), '', ''],
  ['a name that is too long', name(3), 'abcd', ''],
  ['another word', oneOf('a', 'b'), 'c', ''],
  ['null for what may be absent', optional(text), null, ''],
  ['an unknown type', variants({ a: {} }), { type: 'b' }, ''],
  ['a type that every object has', variants({ a: {} }), { type: 'toString' }, ''],
  ['a known type without its fields', variants({ a: { b: text } }), { type: 'a' }, 'b'],
] as const)
  test(`${what} is refused with its path`, (t) => {
    t.is(shape(value)?.path.join('.'), path)
  })
