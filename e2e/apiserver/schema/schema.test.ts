import test from 'ava'
import { brokenRules, ruleProblems } from './cel.ts'
import { prune, withDefaults } from './defaults.ts'
import { invalid, pathText } from './field-problem.ts'
import type { Schema } from './schema.ts'
import { validate } from './validate.ts'

const text = (schema: Schema, value: unknown): string[] =>
  validate(schema, value, ['spec']).map(({ path, message }) => `${pathText(path)}: ${message}`)

const cases: readonly [Schema, unknown, ...string[]][] = [
  [{ type: 'integer', minimum: 1 }, 0, 'spec: Invalid value: 0: spec in body should be greater than or equal to 1'],
  [{ type: 'integer', maximum: 4 }, 5, 'spec: Invalid value: 5: spec in body should be less than or equal to 4'],
  [{ type: 'integer' }, 1.5, 'spec: Invalid value: "number": spec in body must be of type integer: "number"'],
  [{ type: 'integer' }, '1', 'spec: Invalid value: "string": spec in body must be of type integer: "string"'],
  [
    { type: 'integer', format: 'int32' },
    2 ** 31,
    'spec: Invalid value: 2147483648: spec in body must be of type int32: "2147483648"',
  ],
  [{ type: 'string' }, null, 'spec: Invalid value: "null": spec in body must be of type string: "null"'],
  [{ type: 'string', enum: ['a', 'b'] }, 'c', 'spec: Unsupported value: "c": supported values: "a", "b"'],
  [{ type: 'string', pattern: '^a' }, 'b', `spec: Invalid value: "b": spec in body should match '^a'`],
  [{ type: 'string', maxLength: 1 }, 'bb', 'spec: Too long: may not be more than 1 bytes'],
  [
    { type: 'string', format: 'date-time' },
    'today',
    'spec: Invalid value: "today": spec in body must be of type date-time: "today"',
  ],
  [
    { type: 'array', maxItems: 1, items: { type: 'string' } },
    ['a', 'b'],
    'spec: Too many: 2: must have at most 1 items',
  ],
  [
    { type: 'array', minItems: 1, items: { type: 'string' } },
    [],
    'spec: Invalid value: 0: spec in body should have at least 1 items',
  ],
  [
    { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    ['a', 'a'],
    'spec[1]: Duplicate value: "a"',
  ],
  [
    { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items: { type: 'object' } },
    [{ k: 1 }, { k: 2 }, { k: 1 }],
    'spec[2]: Duplicate value: {"k":1}',
  ],
  [{ type: 'object', required: ['a'], properties: { a: { type: 'string' } } }, {}, 'spec.a: Required value'],
  [
    { type: 'object', additionalProperties: { type: 'string' } },
    { a: 1 },
    'spec.a: Invalid value: "integer": spec.a in body must be of type string: "integer"',
  ],
  [{ type: 'string', maxLength: 2 }, 'ab'],
]
for (const [schema, value, ...expected] of cases)
  test(`${JSON.stringify(value)} against ${JSON.stringify(schema)}: ${expected.join() || 'fits'}`, (t) =>
    t.deepEqual(text(schema, value), expected))

test('defaults fill what is missing, one within another; a null gives way or goes', (t) => {
  const schema: Schema = {
    type: 'object',
    properties: {
      a: { type: 'object', default: {}, properties: { b: { type: 'integer', default: 1 } } },
      c: { type: 'string' },
    },
  }
  t.deepEqual(withDefaults(schema, {}), { a: { b: 1 } })
  t.deepEqual(withDefaults(schema, { a: null, c: null }), { a: { b: 1 } })
})

test('unknown fields are pruned at every depth, and named', (t) => {
  const schema: Schema = {
    type: 'object',
    properties: { l: { type: 'array', items: { type: 'object', properties: { a: { type: 'string' } } } } },
  }
  const { value, unknown } = prune(schema, { apiVersion: 'v1', l: [{ a: 'x', b: 1 }], m: 1 })
  t.deepEqual([value, unknown], [{ apiVersion: 'v1', l: [{ a: 'x' }] }, ['l[0].b', 'm']])
})

const ruled = (rule: string, more: object = {}): Schema => ({
  type: 'object',
  properties: {
    low: { type: 'integer' },
    high: { type: 'integer' },
    import: { type: 'array', items: { type: 'string' } },
  },
  'x-kubernetes-validations': [{ rule, message: 'low is above high', ...more }],
})

test('a broken rule is told with its message at the field it blames', (t) => {
  const schema = ruled('self.low <= self.high', { fieldPath: '.low' })
  t.deepEqual(brokenRules(schema, { low: 1, high: 2 }, undefined), [])
  t.deepEqual(brokenRules(schema, { low: 3, high: 2 }, undefined, ['spec']), [
    { path: ['spec', 'low'], reason: 'FieldValueInvalid', message: 'Invalid value: "object": low is above high' },
  ])
})

test('a rule that cannot be evaluated fails, as in the API server', (t) => {
  const [found] = brokenRules(ruled('self.low <= self.high'), { low: 1 }, undefined)
  t.regex(found?.message ?? '', /No such key: high.*low is above high/)
})

test('a rule about oldSelf is asked on updates only', (t) => {
  const schema = ruled('self.low == oldSelf.low')
  t.deepEqual(brokenRules(schema, { low: 1 }, undefined), [])
  t.is(brokenRules(schema, { low: 1 }, { low: 2 }).length, 1)
})

test('a message expression is computed', (t) => {
  const schema = ruled('self.low < 5', { messageExpression: "'low is ' + string(self.low)" })
  t.is(brokenRules(schema, { low: 7 }, undefined)[0]?.message, 'Invalid value: "object": low is 7')
})

test('rules are checked against their schema: fields that are not there, types, reserved words', (t) => {
  const wrong = (rule: string): string =>
    ruleProblems(ruled(rule), ['schema'])
      .map(({ message }) => message)
      .join()
  t.regex(wrong('self.middle > 1'), /compilation failed: ERROR: No such key: middle/)
  t.regex(wrong("self.low == 'x'"), /no such overload/)
  t.regex(wrong('self.low'), /must evaluate to a bool/)
  t.regex(wrong('self.low ='), /compilation failed/)
  t.regex(wrong('self.import.size() > 0'), /No such key: import/)
  t.is(wrong('size(self.__import__) > 0'), '')
})

test('a 422 lists every cause', (t) => {
  const found = validate({ type: 'object', required: ['a', 'b'] }, {}, ['spec'])
  const { message, details, code } = invalid('example.org', 'Thing', 'x', found)
  t.is(code, 422)
  t.is(message, 'Thing.example.org "x" is invalid: [spec.a: Required value, spec.b: Required value]')
  t.deepEqual(details?.causes?.[1], { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.b' })
})
