import test from 'ava'
import type { KubeObject } from '../object.ts'
import { page } from './list.ts'
import { labelSelector, selects } from './select.ts'
import { Store } from './store.ts'
import { beginning, seen, type WatchRequest } from './watch.ts'

const object = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, labels },
})
const all = (since?: number, selector = ''): WatchRequest => ({
  resource: 'things',
  namespace: undefined,
  selects: selects(new URLSearchParams({ labelSelector: selector }), 'things'),
  ...(since === undefined ? {} : { since }),
})
const told = (store: Store, request: WatchRequest): string[] =>
  beginning(store, request, {}).map(
    ({ type, object: each }) => `${type} ${String((each['metadata'] as { name?: string }).name)}`,
  )

test('a watch from a revision gives every later change once, in order', (t) => {
  const store = new Store()
  store.put('things', object('a'))
  const from = store.revision
  store.put('things', object('b'))
  store.put('others', object('c'))
  store.remove('things', store.get('things', undefined, 'a') ?? object('a'))
  t.deepEqual(told(store, all(from)), ['ADDED b', 'DELETED a'])
  t.deepEqual(told(store, all(store.revision)), [])
})

test('a watch without a revision begins with what is there', (t) => {
  const store = new Store()
  for (const name of ['b', 'a']) store.put('things', object(name))
  t.deepEqual(told(store, all()), ['ADDED a', 'ADDED b'])
})

test('a streaming list ends with a bookmark that says so', (t) => {
  const store = new Store()
  store.put('things', object('a'))
  const [, last] = beginning(store, { ...all(0), initial: true }, { kind: 'Thing' })
  t.like(last, {
    type: 'BOOKMARK',
    object: { kind: 'Thing', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  })
})

test('a watch from before the compaction is told 410, one from there on is not', (t) => {
  const store = new Store()
  store.put('things', object('a'))
  const from = store.revision
  store.put('things', object('b'))
  store.compact()
  const [event] = beginning(store, all(from), {})
  t.like(event, {
    type: 'ERROR',
    object: { code: 410, reason: 'Expired', message: `too old resource version: ${from} (${from + 1})` },
  })
  t.deepEqual(told(store, all(store.revision)), [])
})

test('history is bounded: what is long ago is compacted by itself', (t) => {
  const store = new Store({ history: 10 })
  for (let i = 0; i < 100; i++) store.put('things', object('a'))
  t.is(store.since(2), undefined)
  t.is(store.since(store.revision - 10)?.length, 10)
})

test('a change that leaves the selection is a deletion of what was selected, at the revision of the change', (t) => {
  const store = new Store()
  const first = store.put('things', object('a', { on: 'yes' }))
  const second = store.put('things', object('a'))
  const request = all(undefined, 'on=yes')
  const [, change] = store.since(1) ?? []
  const event = change && seen(change, request)
  t.is(event?.type, 'DELETED')
  t.deepEqual(event?.object['metadata'], { ...first.metadata, resourceVersion: second.metadata.resourceVersion })
})

test('pages show the state of their first one, or say that it is gone', (t) => {
  const store = new Store()
  for (const name of ['a', 'b', 'c']) store.put('things', object(name))
  const request = { ...all(), limit: 2, continue: '', resourceVersion: '', exact: false }
  const first = page(store, request)
  store.remove('things', store.get('things', undefined, 'c') ?? object('c'))
  store.put('things', object('bb'))
  const next = { ...request, continue: String(first.metadata['continue']) }
  t.deepEqual(
    page(store, next).items.map(({ metadata }) => metadata.name),
    ['c'],
  )
  store.compact()
  t.throws(() => page(store, next), { message: /continue parameter is too old/ })
})

test('label selectors: equality, sets, existence; what is none is refused', (t) => {
  const selected = (text: string): boolean => labelSelector(text)({ a: '1', b: '2' })
  for (const text of ['', 'a', 'a=1', 'a==1,b!=3', 'a in (1,2),!c', 'c notin (x)', 'c!=1', 'a = 1'])
    t.true(selected(text), text)
  for (const text of ['c', 'a=2', 'a in (2)', 'a notin (1,2)', '!a', 'a=1,b=1']) t.false(selected(text), text)
  t.throws(() => labelSelector('a b c'), { name: 'ApiProblem' })
})
