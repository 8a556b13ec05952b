import { create } from '@bufbuild/protobuf'
import test from 'ava'
import * as fc from 'fast-check'
import { HelloSchema, ReportSchema, ResourceStateSchema } from '../../api/wire/generated/distribution_pb.ts'
import type { Violation } from '../../api/rules/violation.ts'
import { Fleet } from './fleet.ts'
import { tally, type Clock, type Counted, type CountedNode } from './tally.ts'

const clock: Clock = { nowMs: 100_000, graceMs: 30_000 }
const web: Counted = { key: 'L2VNI/web', selector: undefined, changedAt: 1 }
const hello = create(HelloSchema, { node: 'n' })
const report = (lastGood: string, more: object = {}) => create(ReportSchema, { lastGood, settled: true, ...more })
const failed = (name: string) =>
  create(ResourceStateSchema, { kind: 'L2VNI', name, state: 'Failed', reason: 'Kernel', message: 'no' })

const nodesOf = (fleet: Fleet, names: readonly string[], labels = {}): CountedNode[] =>
  names.map((name) => ({ name, labels, state: fleet.of(name, clock.nowMs) }))

/** A fleet whose nodes have been through everything up to epoch 1. */
function settled(...names: readonly string[]): Fleet {
  const fleet = new Fleet()
  for (const name of names) {
    fleet.connected(name, hello, 0)
    fleet.planned(name, 'r1', [], 1, 0)
    fleet.reported(name, report('r1'))
  }
  return fleet
}

test('a node that has been through the change is ready, one that has not is applying', (t) => {
  const fleet = settled('a', 'b')
  for (const node of ['a', 'b']) fleet.planned(node, 'r2', [], 2, 0)
  fleet.acknowledged('a', 'r2', undefined)
  fleet.reported('a', report('r2'))
  const changed = { ...web, changedAt: 2 }
  const counted = tally([changed, { ...web, key: 'L2VNI/old' }], nodesOf(fleet, ['a', 'b']), clock)
  t.like(counted.get('L2VNI/web'), { selected: 2, ready: 1, applying: 1 })
  t.like(counted.get('L2VNI/old'), { selected: 2, ready: 2, applying: 0 })
})

test('having it on disk is not having been through it', (t) => {
  const fleet = settled('a')
  fleet.planned('a', 'r2', [], 2, 0)
  fleet.acknowledged('a', 'r2', undefined)
  t.like(tally([{ ...web, changedAt: 2 }], nodesOf(fleet, ['a']), clock).get('L2VNI/web'), { ready: 0, applying: 1 })
})

test('a node that is rounds behind has been through what it was told before', (t) => {
  const fleet = settled('a')
  for (const epoch of [2, 3, 4]) fleet.planned('a', `r${epoch}`, [], epoch, 0)
  fleet.acknowledged('a', 'r3', undefined)
  fleet.reported('a', report('r3'))
  const at = (changedAt: number) => tally([{ ...web, changedAt }], nodesOf(fleet, ['a']), clock).get('L2VNI/web')?.ready
  t.deepEqual([1, 2, 3, 4].map(at), [1, 1, 1, 0])
})

test('a change that is taken back before the agent had it leaves nothing to wait for', (t) => {
  const fleet = settled('a')
  fleet.planned('a', 'r2', [], 2, 0)
  fleet.planned('a', 'r1', [], 3, 0)
  t.like(tally([{ ...web, changedAt: 3 }], nodesOf(fleet, ['a']), clock).get('L2VNI/web'), { ready: 1, applying: 0 })
})

test('a resource that failed on a node is counted once, whatever else is said of it', (t) => {
  const fleet = settled('a', 'b')
  const violation: Violation = {
    object: { kind: 'L2VNI', name: 'web' },
    reason: 'NoVTEP',
    field: 'spec.vni',
    message: 'no VTEP',
    remedy: 'add a pool',
    node: 'a',
    pending: true,
  }
  fleet.planned('a', 'r1', [violation], 1, 0)
  fleet.reported('a', report('r1', { unready: [failed('web')] }))
  const counts = tally([web], nodesOf(fleet, ['a', 'b']), clock).get('L2VNI/web')
  t.like(counts, { selected: 2, ready: 1, waiting: 1, failed: 0 })
})

test('what a node says of a resource that does not select it counts for nothing', (t) => {
  const fleet = settled('a')
  fleet.reported('a', report('r1', { unready: [failed('web')] }))
  const other = { ...web, selector: { matchLabels: { rack: 'b' } } }
  t.like(tally([other], nodesOf(fleet, ['a'], { rack: 'a' }), clock).get('L2VNI/web'), {
    selected: 0,
    ready: 0,
    failed: 0,
  })
})

test('an agent may be away for the grace', (t) => {
  const fleet = settled('a')
  fleet.disconnected('a', 80_000)
  t.like(tally([web], nodesOf(fleet, ['a']), clock).get('L2VNI/web'), { ready: 1, away: 0 })
  const later = { ...clock, nowMs: 110_000 }
  const counts = tally([web], nodesOf(fleet, ['a']), later).get('L2VNI/web')
  t.like(counts, { ready: 0, away: 1 })
  t.is(counts?.obstacles.away[0]?.message, 'the agent is away since 1970-01-01T00:01:20Z')
})

test('a node that was served before is expected back, a new one is not', (t) => {
  const fleet = new Fleet()
  fleet.expect('old', 90_000)
  fleet.planned('old', 'r1', [], 1, 90_000)
  fleet.planned('new', 'r1', [], 1, 90_000)
  t.like(tally([web], nodesOf(fleet, ['old', 'new']), clock).get('L2VNI/web'), { unseen: 1, applying: 1, away: 0 })
  const later = { ...clock, nowMs: 130_000 }
  t.like(tally([web], nodesOf(fleet, ['old', 'new']), later).get('L2VNI/web'), { unseen: 0, applying: 0, away: 2 })
})

test('a node that is broken as a whole is said to be, with its cause', (t) => {
  const fleet = settled('a')
  fleet.reported('a', report('r1', { problemReason: 'NetnsFailed', problemMessage: 'no namespace' }))
  const counts = tally([web], nodesOf(fleet, ['a']), clock).get('L2VNI/web')
  t.like(counts, { ready: 0, failed: 1 })
  t.deepEqual(counts?.obstacles.failed, [{ node: 'a', reason: 'NetnsFailed', message: 'no namespace' }])
})

test('every selected node is counted exactly once', (t) => {
  const node = fc.record({
    rack: fc.constantFrom('a', 'b'),
    connected: fc.boolean(),
    through: fc.integer({ min: 0, max: 3 }),
    expected: fc.boolean(),
    unready: fc.subarray(['web', 'db']),
    awaySince: fc.option(fc.integer({ min: 50_000, max: 100_000 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(fc.array(node, { maxLength: 12 }), fc.integer({ min: 1, max: 3 }), (nodes, changedAt) => {
      const fleet = new Fleet()
      const counted = nodes.map((each, at): CountedNode => {
        const name = `n${at}`
        if (each.expected) fleet.expect(name, 80_000)
        if (each.connected) fleet.connected(name, hello, 80_000)
        for (const epoch of [1, 2, 3]) fleet.planned(name, `r${epoch}`, [], epoch, 80_000)
        if (each.connected && each.through > 0) {
          fleet.acknowledged(name, `r${each.through}`, undefined)
          fleet.reported(name, report(`r${each.through}`, { unready: each.unready.map(failed) }))
        }
        if (each.awaySince !== undefined) fleet.disconnected(name, each.awaySince)
        return { name, labels: { rack: each.rack }, state: fleet.of(name, 80_000) }
      })
      const resources = [
        { key: 'L2VNI/web', selector: { matchLabels: { rack: 'a' } }, changedAt },
        { key: 'L2VNI/db', selector: undefined, changedAt: 1 },
      ]
      const tallies = tally(resources, counted, clock)
      return resources.every(({ key, selector }) => {
        const {
          selected,
          ready,
          failed: no,
          waiting,
          applying,
          away,
          unseen,
        } = tallies.get(key) ?? { selected: -1, ready: 0, failed: 0, waiting: 0, applying: 0, away: 0, unseen: 0 }
        const wanted = selector ? nodes.filter(({ rack }) => rack === 'a').length : nodes.length
        const all = [ready, no, waiting, applying, away, unseen]
        return selected === wanted && all.every((count) => count >= 0) && all.reduce((a, b) => a + b) === selected
      })
    }),
  )
  t.pass()
})

test('a node on which it is refused is named for that, not for being on its way', (t) => {
  const violation: Violation = {
    object: { kind: 'L2VNI', name: 'web' },
    reason: 'PoolExhausted',
    field: 'spec.cidr',
    value: '10.0.0.0/31',
    message: 'has no address for node a',
    remedy: 'use a larger one',
    node: 'a',
  }
  const fleet = settled('a', 'b')
  for (const [node, refused] of [['a', [violation]] as const, ['b', []] as const])
    fleet.planned(node, 'r2', refused, 2, 0)
  const counted = tally([{ ...web, changedAt: 2 }], nodesOf(fleet, ['a', 'b']), clock).get('L2VNI/web')
  t.like(counted, { failed: 1, applying: 1 })
  t.deepEqual(
    counted?.obstacles.failed.map(({ node, message }) => `${node}: ${message}`),
    ['a: spec.cidr 10.0.0.0/31: has no address for node a; use a larger one'],
  )
  t.deepEqual(
    counted?.obstacles.applying.map(({ node }) => node),
    ['b'],
  )
})

test('a node that comes back with an earlier plan counts as it was, until it says otherwise or the grace is over', (t) => {
  const back = (more: object = {}): Fleet => {
    const fleet = new Fleet()
    fleet.expect('a', clock.nowMs)
    fleet.planned('a', 'r2', [], 1, clock.nowMs)
    fleet.connected('a', create(HelloSchema, { node: 'a', revision: 'r1' }), clock.nowMs)
    fleet.reported('a', report('r1', more))
    return fleet
  }
  const at = (fleet: Fleet, laterMs = 0) =>
    tally([web], nodesOf(fleet, ['a']), { ...clock, nowMs: clock.nowMs + laterMs }).get('L2VNI/web')
  t.like(at(back()), { unseen: 1, applying: 0 })
  t.like(at(back(), clock.graceMs), { unseen: 0, applying: 1 })
  t.like(at(back({ unready: [failed('web')] })), { unseen: 0, failed: 1 })
  const through = back()
  through.acknowledged('a', 'r2', undefined)
  t.like(at(through), { unseen: 1 })
  through.reported('a', report('r2'))
  t.like(at(through), { unseen: 0, ready: 1 })
})
