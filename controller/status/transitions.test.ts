import test from 'ava'
import type { Condition } from '../fabric/world.ts'
import { nodeTransitions, resourceTransitions } from './transitions.ts'

const condition = (type: string, status: Condition['status'], reason: string): Condition => ({
  type,
  status,
  reason,
  message: `because of ${reason}`,
  lastTransitionTime: '2026-01-01T00:00:00Z',
})
const accepted = condition('Accepted', 'True', 'Accepted')
const ready = (status: Condition['status'], reason: string): Condition[] => [
  accepted,
  condition('Ready', status, reason),
]
const reasons = (told: readonly { readonly reason: string }[]): readonly string[] => told.map(({ reason }) => reason)

const cases: readonly [
  title: string,
  before: Condition[],
  after: Condition[],
  failed: number,
  told: readonly string[],
][] = [
  ['a new resource is accepted', [], ready('False', 'Applying'), 0, ['Accepted']],
  ['it becomes ready', ready('False', 'Applying'), ready('True', 'Ready'), 0, ['Ready']],
  ['it stays ready', ready('True', 'Ready'), ready('True', 'Ready'), 0, []],
  ['a change is on its way', ready('True', 'Ready'), ready('False', 'Applying'), 0, []],
  ['the change fails on a node', ready('False', 'Applying'), ready('False', 'NoBridge'), 1, ['NodeFailed']],
  ['it waits for a Secret', ready('True', 'Ready'), ready('False', 'SecretMissing'), 0, ['NotReady']],
  ['it stays failed', ready('False', 'NoBridge'), ready('False', 'NoBridge'), 2, []],
  [
    'another one is older',
    ready('True', 'Ready'),
    [condition('Accepted', 'False', 'VNIConflict'), condition('Ready', 'False', 'NotAccepted')],
    0,
    ['NotAccepted'],
  ],
]
for (const [title, before, after, failed, told] of cases)
  test(`${title}: ${told.join(', ') || 'nothing is told'}`, (t) =>
    t.deepEqual(reasons(resourceTransitions(before, after, failed)), told))

test('of a node what is its own is told, not what is wrong with resources', (t) => {
  const secret = ready('False', 'SecretMissing')
  t.deepEqual(reasons(nodeTransitions(ready('True', 'Ready'), secret, false)), [])
  t.deepEqual(reasons(nodeTransitions(ready('True', 'Ready'), ready('False', 'FRRAway'), true)), ['RouterFailed'])
  t.deepEqual(reasons(nodeTransitions(ready('True', 'Ready'), ready('Unknown', 'AgentDisconnected'), false)), [
    'AgentDisconnected',
  ])
  t.deepEqual(reasons(nodeTransitions([], ready('False', 'PoolExhausted'), false)), ['PoolExhausted'])
  t.deepEqual(reasons(nodeTransitions(ready('False', 'FRRAway'), ready('True', 'Ready'), false)), ['RouterReady'])
})
