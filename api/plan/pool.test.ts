import test from 'ava'
import type { AnyResource } from '../kinds/kinds.ts'
import { routerNode } from '../kinds/router-node.ts'
import { underlay as kind, type Underlay } from '../kinds/underlay.ts'
import { nameOf } from '../rules/violation.ts'
import { snapshotOf } from '../snapshot/snapshot.ts'
import type { NodeFacts } from './node-facts.ts'
import { plan } from './plan.ts'
import { poolNumbers } from './pool.ts'
import { review } from './review.ts'

function underlay(cidrs: readonly string[] | undefined, routerIDCIDR?: string): Underlay {
  const spec = kind.spec.parse({
    asn: 64514,
    ...(cidrs ? { vtep: { cidrs } } : {}),
    ...(routerIDCIDR === undefined ? {} : { routerIDCIDR }),
    neighbors: [{ address: '192.168.10.1', type: 'External' }],
  })
  return { kind: 'Underlay', metadata: { name: 'u' }, spec }
}

const node = (more: Partial<NodeFacts> = {}): NodeFacts => ({ name: 'n', index: 4, labels: {}, ...more })

/** VTEPs, router ID and what is wrong, in one line each. */
function numbers(pools: readonly [cidrs: readonly string[] | undefined, ids?: string], facts: NodeFacts) {
  const { vteps, routerID, refused } = poolNumbers(underlay(...pools), facts)
  return [
    vteps.join(' '),
    routerID,
    ...refused.map((each) => `${each.reason} ${each.field}${each.partial ? ' partial' : ''}: ${each.message}`),
  ]
}

test('what is not recorded follows from the index', (t) => {
  t.deepEqual(numbers([['10.0.0.0/24', 'fd00::/64']], node()), ['10.0.0.5 fd00::5', '10.0.0.5'])
  t.deepEqual(numbers([['10.0.0.0/24'], '10.9.0.0/24'], node()), ['10.0.0.5', '10.9.0.5'])
})

test('what is recorded stays while the pool contains it', (t) => {
  const recorded = node({ vteps: ['10.0.1.1', 'FD00::77'], routerID: '10.9.0.200' })
  t.deepEqual(numbers([['10.0.0.0/16', 'fd00::/64'], '10.9.0.0/24'], recorded), ['10.0.1.1 fd00::77', '10.9.0.200'])
})

test('a pool of another family adds an address and leaves the other', (t) => {
  const recorded = node({ vteps: ['10.0.1.1'], routerID: '10.0.1.1' })
  t.deepEqual(numbers([['fd00::/64', '10.0.0.0/16']], recorded), ['fd00::5 10.0.1.1', '10.0.1.1'])
})

test('a pool that moved away leaves the node what it uses, and says so', (t) => {
  const recorded = node({ vteps: ['10.0.1.1'], routerID: '10.9.0.1' })
  t.deepEqual(numbers([['10.0.2.0/24'], '10.8.0.0/24'], recorded), [
    '10.0.1.1',
    '10.9.0.1',
    'PoolInUse spec.vtep.cidrs partial: node n uses 10.0.1.1, which is not in 10.0.2.0/24',
    'PoolInUse spec.routerIDCIDR partial: node n uses 10.9.0.1, which is not in 10.8.0.0/24',
  ])
  t.deepEqual(poolNumbers(underlay(['10.0.2.0/24']), recorded).vtepPools, ['10.0.1.1/32', '10.0.2.0/24'])
})

test('a pool that is gone leaves the node what it uses', (t) => {
  const recorded = node({ vteps: ['10.0.1.1', 'fd00::1'], routerID: '10.9.0.1' })
  t.deepEqual(numbers([['fd00::/64'], '10.9.0.0/24'], recorded), [
    'fd00::1 10.0.1.1',
    '10.9.0.1',
    'PoolInUse spec.vtep.cidrs partial: node n uses 10.0.1.1, and the pool that it came from is gone',
  ])
  t.deepEqual(numbers([['10.0.1.0/24', 'fd00::/64']], recorded), [
    '10.0.1.1 fd00::1',
    '10.9.0.1',
    'PoolInUse spec.routerIDCIDR partial: node n uses 10.9.0.1, and the pool that it came from is gone',
  ])
})

test('a pool of router IDs that comes later replaces an ID that was a VTEP address', (t) => {
  const recorded = node({ vteps: ['10.0.1.1'], routerID: '10.0.1.1' })
  t.deepEqual(numbers([['10.0.1.0/24'], '10.9.0.0/24'], recorded), ['10.0.1.1', '10.9.0.5'])
})

test('a pool that is too small takes nothing from a node that has an address', (t) => {
  const recorded = node({ vteps: ['10.0.1.1'], routerID: '10.0.1.1' })
  t.deepEqual(numbers([['fd00::/127', '10.0.1.0/24']], recorded), [
    '10.0.1.1',
    '10.0.1.1',
    'PoolExhausted spec.vtep.cidrs partial: has no address for node n with index 4',
  ])
  t.deepEqual(numbers([['10.0.1.0/24'], '10.9.0.0/30'], recorded), [
    '10.0.1.1',
    '10.0.1.1',
    'PoolExhausted spec.routerIDCIDR partial: has no address for node n with index 4',
  ])
})

test('a pool in which every address is taken gives none, whatever the index', (t) => {
  t.deepEqual(numbers([['10.0.1.0/24'], '10.9.0.0/24'], node({ exhausted: ['10.0.1.0/24'] })), [
    '',
    '10.9.0.5',
    'PoolExhausted spec.vtep.cidrs partial: has no address for node n with index 4',
  ])
})

const routerNodeOf = (name: string, spec: object): AnyResource => ({
  kind: 'RouterNode',
  metadata: { name },
  spec: routerNode.spec.parse(spec),
})

test('review names node and address of a pool that is in use', (t) => {
  const objects = [underlay(['10.0.2.0/24']), routerNodeOf('n7', { index: 0, addresses: { vteps: ['10.0.1.1'] } })]
  t.deepEqual(
    review(snapshotOf(objects)).map((each) => `${nameOf(each.object)} ${each.reason}: ${each.message}`),
    ['Underlay/u PoolInUse: node n7 uses 10.0.1.1, which is not in 10.0.2.0/24'],
  )
})

test('an address that is recorded for another node is nobody else’s', (t) => {
  const other = routerNodeOf('other', { index: 0, addresses: { vteps: ['FD00:0::5'] } })
  const objects = [underlay(['fd00::/64'], '10.9.0.0/24'), other]
  const { plan: made, refused } = plan(snapshotOf(objects), node())
  t.is(made.router, undefined)
  t.deepEqual(
    refused.map(({ reason, message }) => `${reason}: ${message}`),
    ['AddressConflict: the VTEP address fd00::5 of node n belongs to RouterNode/other'],
  )
  const twice = routerNodeOf('later', { index: 1, addresses: { vteps: ['fd00::5'] } })
  const [conflict] = plan(snapshotOf([...objects, twice]), node({ name: 'other', index: 0 })).refused
  t.deepEqual([conflict?.reason, conflict?.object.name, conflict?.other?.name], ['AddressConflict', 'other', 'later'])
})
