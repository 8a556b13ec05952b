import test from 'ava'
import type { AnyResource } from '../api/kinds/kinds.ts'
import { arrivals, inOrderOfArrival } from './arrival.ts'

const object = (name: string, creationTimestamp?: string): AnyResource =>
  ({ kind: 'L2VNI', metadata: { name, ...(creationTimestamp ? { creationTimestamp } : {}) } }) as AnyResource

test('what is there at the first reading arrives together, later ones after it', (t) => {
  const first = arrivals({}, [object('b'), object('c')])
  t.deepEqual(first, { 'L2VNI/b': 1, 'L2VNI/c': 1 })
  t.deepEqual(arrivals(first, [object('a'), object('b'), object('c')]), { 'L2VNI/a': 2, 'L2VNI/b': 1, 'L2VNI/c': 1 })
})

test('what is gone loses its place', (t) => {
  const before = { 'L2VNI/a': 1, 'L2VNI/b': 2 }
  const without = arrivals(before, [object('b')])
  t.deepEqual(without, { 'L2VNI/b': 2 })
  t.deepEqual(arrivals(without, [object('a'), object('b')]), { 'L2VNI/a': 3, 'L2VNI/b': 2 })
})

test('the rank becomes the time of creation, except where there is one', (t) => {
  const [a, b] = inOrderOfArrival([object('a'), object('b', '2026-01-01T00:00:00Z')], { 'L2VNI/a': 2, 'L2VNI/b': 1 })
  t.is(a?.metadata.creationTimestamp, '1970-01-01T00:00:00.002Z')
  t.is(b?.metadata.creationTimestamp, '2026-01-01T00:00:00Z')
})
