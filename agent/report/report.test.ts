import test from 'ava'
import type { ResourceReport } from '../resource-states.ts'
import { reportOf, type ReportFacts } from './report.ts'

const ready = (name: string): ResourceReport => ({ ref: { kind: 'L3VNI', name }, state: { state: 'Ready', since: 1 } })
const failed = (name: string): ResourceReport => ({
  ref: { kind: 'L3VNI', name },
  state: { state: 'Failed', since: 5, reason: 'NameTaken', message: 'm', attempts: 1, nextTry: 9 },
})
const pending = (name: string): ResourceReport => ({
  ref: { kind: 'L3VNI', name },
  state: { state: 'Pending', since: 5, message: 'seen' },
})
const facts: ReportFacts = {
  lastGood: 'b',
  progress: { tried: 'b', applied: 'a' },
  resources: [ready('red'), failed('blue')],
  fromFiles: [],
  conflicts: [],
  versions: { agent: '1' },
  detailVersion: 7n,
}

test('what is not Ready is told, with its reason; the rest is not', (t) => {
  const report = reportOf(facts)
  t.deepEqual(report.unready, [
    { kind: 'L3VNI', name: 'blue', state: 'Failed', reason: 'NameTaken', message: 'm', sinceMs: 5n },
  ])
  t.like(report, { applied: 'a', lastGood: 'b', settled: true, detailVersion: 7n })
  t.is(report.problemReason, undefined)
})

test('a plan that was not tried yet is not settled, and what waits for its first try is not listed', (t) => {
  const report = reportOf({
    ...facts,
    progress: { tried: 'a', applied: 'a' },
    resources: [pending('red'), failed('blue')],
  })
  t.false(report.settled)
  t.deepEqual(
    report.unready?.map(({ name }) => name),
    ['blue'],
  )
  t.is(reportOf({ ...facts, resources: [pending('red')] }).unready?.length, 1)
})

test('an agent without a plan of the controller is not settled', (t) => {
  const { lastGood: _lastGood, ...without } = facts
  t.like(reportOf({ ...without, progress: {} }), { applied: '', lastGood: '', settled: false })
})

test("the files' own resources are nothing to the controller", (t) => {
  t.deepEqual(reportOf({ ...facts, fromFiles: ['L3VNI/blue'] }).unready, [])
})

test('what is wrong with the node as a whole is told, FRR that is away too', (t) => {
  const nodeState = { state: 'Failed', since: 1, reason: 'X', message: 'm', attempts: 1, nextTry: 1 } as const
  t.like(reportOf({ ...facts, nodeState, frrAway: 'gone' }), { problemReason: 'X', problemMessage: 'm' })
  t.like(reportOf({ ...facts, frrAway: 'gone' }), { problemReason: 'FRRAway', problemMessage: 'FRR is away: gone' })
})
