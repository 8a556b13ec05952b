import test from 'ava'
import * as fc from 'fast-check'
import type { KubeObject } from '../object.ts'
import { ApiProblem } from '../problem.ts'
import type { Schema } from '../schema/schema.ts'
import { apply, type Applied } from './apply.ts'
import { difference, fromFieldsV1, intersection, isEmpty, toFieldsV1, union, type FieldSet } from './field-set.ts'
import { fieldsOf } from './fields-of.ts'
import { afterUpdate, differenceOf, type Manager, type Managers } from './managers.ts'

const schema: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        size: { type: 'integer' },
        atomic: { type: 'array', items: { type: 'string' } },
        set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
          items: {
            type: 'object',
            properties: {
              port: { type: 'integer' },
              protocol: { type: 'string', default: 'TCP' },
              name: { type: 'string' },
            },
          },
        },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
      },
    },
  },
}

const object = (spec?: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name: 'x' },
  ...(spec ? { spec } : {}),
})
const manager = (name: string, operation: 'Apply' | 'Update' = 'Apply'): Manager => ({
  name,
  operation,
  apiVersion: 'v1',
})
const nothing: Applied = { object: object(), managers: new Map() }
const applied = (before: Applied, name: string, spec: object, force = false): Applied =>
  apply(schema, before.object, object(spec), before.managers, manager(name), force)

function fieldsFor(managers: Managers, name: string): object | undefined {
  const owned = [...managers.values()].find((each) => each.manager.name === name)
  return owned && toFieldsV1(owned.fields)
}

test('what is applied is owned, down to scalars, items and keys', (t) => {
  const { managers } = applied(nothing, 'one', {
    size: 1,
    atomic: ['a'],
    set: ['b'],
    ports: [{ port: 80, name: 'web' }],
    labels: { k: 'v' },
  })
  t.deepEqual(fieldsFor(managers, 'one'), {
    'f:spec': {
      'f:atomic': {},
      'f:labels': { 'f:k': {} },
      'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {} } },
      'f:set': { 'v:"b"': {} },
      'f:size': {},
    },
  })
})

test('what is no longer applied goes, and with it what holds nothing else', (t) => {
  const before = applied(nothing, 'one', { size: 1, labels: { a: '1' }, ports: [{ port: 80, name: 'web' }] })
  t.deepEqual(applied(before, 'one', { size: 2 }).object['spec'], { size: 2 })
})

test('items of several managers live in one list, and each takes away its own', (t) => {
  const one = applied(nothing, 'one', { ports: [{ port: 80 }], set: ['a', 'c'] })
  const two = applied(one, 'two', { ports: [{ port: 443 }], set: ['b', 'c'] })
  t.deepEqual(two.object['spec'], { ports: [{ port: 80 }, { port: 443 }], set: ['a', 'c', 'b'] })
  t.deepEqual(applied(two, 'one', {}).object['spec'], { ports: [{ port: 443 }], set: ['c', 'b'] })
})

test('an item that another manager has a field of stays, with that field alone', (t) => {
  const one = applied(nothing, 'one', { ports: [{ port: 80 }] })
  const two = applied(one, 'two', { ports: [{ port: 80, name: 'web' }] })
  t.deepEqual(applied(two, 'one', {}).object['spec'], { ports: [{ port: 80, name: 'web' }] })
})

test('another value for what another manager has is a conflict that names all fields of each manager', (t) => {
  const one = applied(nothing, 'one', { size: 1, ports: [{ port: 80, name: 'web' }] })
  const problem = t.throws(() => applied(one, 'two', { size: 2, ports: [{ port: 80, name: 'www' }] }), {
    instanceOf: ApiProblem,
  })
  t.is(problem.code, 409)
  t.is(
    problem.message,
    'Apply failed with 2 conflicts: conflicts with "one" using v1:\n- .spec.ports[port=80,protocol="TCP"].name\n- .spec.size',
  )
})

test('the same value is no conflict: both own it, and it stays until both let go', (t) => {
  const one = applied(nothing, 'one', { size: 1 })
  const two = applied(one, 'two', { size: 1 })
  const left = applied(two, 'one', {})
  t.deepEqual(left.object['spec'], { size: 1 })
  t.deepEqual(applied(left, 'two', {}).object['spec'], {})
})

test('force takes the field over', (t) => {
  const one = applied(nothing, 'one', { size: 1, set: ['a'] })
  const two = applied(one, 'two', { size: 2 }, true)
  t.deepEqual(fieldsFor(two.managers, 'one'), { 'f:spec': { 'f:set': { 'v:"a"': {} } } })
  t.deepEqual(applied(two, 'one', { set: ['a'] }).object['spec'], { size: 2, set: ['a'] })
})

test('an update takes over what it changes, and is taken over by nobody unforced', (t) => {
  const one = applied(nothing, 'one', { size: 1, set: ['a'] })
  const next = object({ size: 3, set: ['a'] })
  const managers = afterUpdate(one.managers, manager('hand', 'Update'), differenceOf(schema, one.object, next))
  t.deepEqual(fieldsFor(managers, 'hand'), { 'f:spec': { 'f:size': {} } })
  t.throws(() => applied({ object: next, managers }, 'one', { size: 1, set: ['a'] }), {
    message: /conflict with "hand" using v1: \.spec\.size/,
  })
})

const value: fc.Arbitrary<unknown> = fc.record(
  {
    size: fc.nat(3),
    atomic: fc.array(fc.constantFrom('a', 'b')),
    set: fc.uniqueArray(fc.constantFrom('a', 'b', 'c')),
    ports: fc.uniqueArray(fc.record({ port: fc.nat(2), name: fc.constantFrom('x', 'y') }), {
      selector: ({ port }) => port,
    }),
    labels: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2')),
  },
  { requiredKeys: [] },
)

test('property: what one manager alone applies last is what there is, whatever it applied before', (t) => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 4 }), value, (earlier, last) => {
      const before = earlier.reduce<Applied>((at, spec) => applied(at, 'one', spec as object), nothing)
      const after = applied(before, 'one', last as object)
      const direct = applied(nothing, 'one', last as object)
      t.deepEqual(toFieldsV1(fieldsOf(schema, after.object)), toFieldsV1(fieldsOf(schema, direct.object)))
      t.deepEqual(fieldsFor(after.managers, 'one'), fieldsFor(direct.managers, 'one'))
    }),
  )
})

test('property: sets of fields obey the laws of sets and survive FieldsV1', (t) => {
  const set = value.map((spec): FieldSet => fieldsOf(schema, { spec }))
  fc.assert(
    fc.property(set, set, (a, b) => {
      t.deepEqual(toFieldsV1(fromFieldsV1(toFieldsV1(a))), toFieldsV1(a))
      t.true(isEmpty(difference(a, union(a, b))))
      t.deepEqual(toFieldsV1(union(difference(a, b), intersection(a, b))), toFieldsV1(a))
    }),
  )
})
