import test from 'ava'
import { jsonPatch } from './json-patch.ts'
import { mergePatch, strategicMergePatch } from './merge-patch.ts'

test('a merge patch merges maps, replaces lists and removes by null (RFC 7386)', (t) => {
  t.deepEqual(mergePatch({ a: { b: 1, c: 2 }, d: [1, 2] }, { a: { b: null, e: 3 }, d: [3] }), {
    a: { c: 2, e: 3 },
    d: [3],
  })
  t.deepEqual(mergePatch('text', { a: { b: null } }), { a: {} })
})

test('a strategic merge patch merges lists by their keys', (t) => {
  const schema = {
    properties: { l: { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] } },
  } as const
  const target = {
    l: [
      { k: 1, v: 'a' },
      { k: 2, v: 'b' },
    ],
  }
  const patch = { l: [{ k: 2, v: 'c' }, { k: 3 }, { k: 1, $patch: 'delete' }] }
  t.deepEqual(strategicMergePatch(schema, target, patch), { l: [{ k: 2, v: 'c' }, { k: 3 }] })
})

test('JSON patch: add, remove, replace, move, copy, by pointers with escapes (RFC 6902, 6901)', (t) => {
  const target = { a: [1, 2, 3], 'b/c': { '~': 1 } }
  const patched = jsonPatch(target, [
    { op: 'add', path: '/a/1', value: 9 },
    { op: 'add', path: '/a/-', value: 4 },
    { op: 'remove', path: '/a/0' },
    { op: 'replace', path: '/b~1c/~0', value: 2 },
    { op: 'copy', from: '/b~1c', path: '/d' },
    { op: 'move', from: '/d/~0', path: '/e' },
  ])
  t.deepEqual(patched, { a: [9, 2, 3, 4], 'b/c': { '~': 2 }, d: {}, e: 2 })
  t.deepEqual(target, { a: [1, 2, 3], 'b/c': { '~': 1 } })
})

for (const operation of [
  { op: 'test', path: '/a', value: 2 },
  { op: 'replace', path: '/b', value: 1 },
  { op: 'remove', path: '/a/b' },
  { op: 'add', path: '/x/y', value: 1 },
])
  test(`JSON patch: ${JSON.stringify(operation)} is refused`, (t) => {
    t.throws(() => jsonPatch({ a: 1 }, [operation]), { name: 'ApiProblem' })
  })
