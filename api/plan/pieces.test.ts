import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodePlan } from './node-plan.ts'
import { changed, PieceError, piecesOf, planOf } from './pieces.ts'
import { hashOf, minus, plus, revisionOf, revisionOfPieces, sumOfNode } from './revision.ts'

const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'golden/node1.json'), 'utf8')) as NodePlan
const piece = (key: string, text: string) => ({ key, json: Buffer.from(text) })

test('a plan taken apart and put together is the same plan, whatever the order', (t) => {
  t.deepEqual(planOf('node1', piecesOf(golden)), golden)
  t.deepEqual(planOf('node1', piecesOf(golden).toReversed()), golden)
  t.deepEqual(planOf('x', []), { node: 'x', vrfs: [], segments: [] })
})

test('the order of a piece’s fields does not matter', (t) => {
  const shuffled = {
    ...golden,
    segments: golden.segments.map((each) => Object.fromEntries(Object.entries(each).toReversed())),
  }
  t.deepEqual(piecesOf(shuffled as unknown as NodePlan), piecesOf(golden))
})

test('the revision is that of the pieces in any order, and no two plans of the demo share one', (t) => {
  t.is(revisionOfPieces('node1', piecesOf(golden).toReversed()), revisionOf(golden))
  t.regex(revisionOf(golden), /^[0-9a-f]{16}$/)
  t.not(revisionOf({ ...golden, node: 'node2' }), revisionOf(golden))
  const others = piecesOf(golden).map(({ key }) =>
    revisionOfPieces(
      'node1',
      piecesOf(golden).filter((each) => each.key !== key),
    ),
  )
  t.is(new Set([...others, revisionOf(golden)]).size, others.length + 1)
})

test('a sum is corrected by one piece', (t) => {
  const [a, b] = [hashOf('vrf/a', '{}'), hashOf('vrf/b', '{}')]
  const sum = plus(plus(sumOfNode('n'), a), b)
  t.is(minus(sum, a), plus(sumOfNode('n'), b))
  t.is(plus(minus(0n, a), a), 0n)
})

test('what is removed is gone, what is set is new, the rest stays the same object', (t) => {
  const pieces = [piece('vrf/a', '1'), piece('vrf/b', '2'), piece('vrf/c', '3')]
  const after = changed(pieces, { set: [piece('vrf/b', '4'), piece('vrf/d', '5')], remove: ['vrf/c'] })
  t.deepEqual(
    after.map(({ key, json }) => `${key} ${Buffer.from(json).toString()}`),
    ['vrf/a 1', 'vrf/b 4', 'vrf/d 5'],
  )
  t.is(after[0], pieces[0])
})

for (const [key, text] of [
  ['vfr/a', '{}'],
  ['vrf/a', '{'],
  ['segment/1', 'null'],
  ['router', '[]'],
] as const)
  test(`the piece ${key} ${text} is refused with its key`, (t) => {
    const error = t.throws(() => planOf('n', [piece(key, text)]), { instanceOf: PieceError })
    t.true(error.message.includes(key))
  })
