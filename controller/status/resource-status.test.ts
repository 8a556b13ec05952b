import test from 'ava'
import type { Violation } from '../../api/rules/violation.ts'
import type { Condition, Declared, ResourceStatus } from '../fabric/world.ts'
import { resourceStatus } from './resource-status.ts'
import type { Tally } from './tally.ts'

const NOW = Date.parse('2026-01-01T12:00:00.500Z')
const resource = {
  kind: 'L2VNI',
  metadata: { name: 'web' },
  spec: { vni: 110, gatewayIPs: [], suppressARP: true },
} as const
const declared = (more: Partial<Declared> = {}): Declared => ({
  ref: { kind: 'L2VNI', name: 'web' },
  uid: 'u1',
  generation: 3,
  checked: { resource: { ...resource, spec: { ...resource.spec, gatewayIPs: [] } } },
  ...more,
})
const counts = (more: Partial<Tally> = {}): Tally => ({
  selected: 3,
  ready: 3,
  failed: 0,
  broken: 0,
  waiting: 0,
  applying: 0,
  away: 0,
  unseen: 0,
  ...more,
  obstacles: { failed: [], waiting: [], applying: [], away: [], ...more.obstacles },
})
const conflict = (more: Partial<Violation> = {}): Violation => ({
  object: { kind: 'L2VNI', name: 'web' },
  reason: 'VNIConflict',
  field: 'spec.vni',
  value: 110,
  message: 'VNI 110 belongs to L2VNI/old',
  remedy: 'use a VNI that is free',
  other: { kind: 'L2VNI', name: 'old' },
  ...more,
})
const condition = (status: ResourceStatus | undefined, type: string): Condition | undefined =>
  status?.conditions.find((each) => each.type === type)

interface Case {
  readonly title: string
  readonly declared?: Declared
  readonly violations?: readonly Violation[]
  readonly tally?: Tally
  readonly accepted: readonly [status: string, reason: string]
  readonly ready: readonly [status: string, reason: string, message: RegExp]
  readonly summary?: string
}

const cases: readonly Case[] = [
  {
    title: 'works everywhere',
    accepted: ['True', 'Accepted'],
    ready: ['True', 'Ready', /^works on 3 nodes$/],
    summary: '3/3',
  },
  {
    title: 'selects no node',
    tally: counts({ selected: 0, ready: 0 }),
    accepted: ['True', 'Accepted'],
    ready: ['False', 'NoNodesSelected', /selects no node/],
    summary: '0/0',
  },
  {
    title: 'a rule of the fabric stands against it: no node has it, and both objects are named',
    violations: [conflict()],
    accepted: ['False', 'VNIConflict'],
    ready: [
      'False',
      'NotAccepted',
      /^L2VNI\/web: spec\.vni 110: VNI 110 belongs to L2VNI\/old; use a VNI that is free$/,
    ],
    summary: '0/3',
  },
  {
    title: 'a rule of the node stands against it on one node: it works on the others',
    violations: [conflict({ reason: 'BridgeConflict', node: 'n2' })],
    tally: counts({
      ready: 2,
      failed: 1,
      obstacles: { ...counts().obstacles, failed: [{ node: 'n2', reason: 'BridgeConflict', message: 'taken' }] },
    }),
    accepted: ['False', 'BridgeConflict'],
    ready: ['False', 'BridgeConflict', /^2 of 3 nodes ready\. 1 failed: n2: BridgeConflict: taken$/],
    summary: '2/3',
  },
  {
    title: 'it waits for a Secret: that is no matter of being accepted',
    violations: [conflict({ reason: 'SecretMissing', pending: true, partial: true, node: 'n1' })],
    tally: counts({
      ready: 0,
      waiting: 3,
      obstacles: {
        ...counts().obstacles,
        waiting: ['n1', 'n2'].map((node) => ({ node, reason: 'SecretMissing', message: 'Secret/tor does not exist' })),
      },
    }),
    accepted: ['True', 'Accepted'],
    ready: ['False', 'SecretMissing', /3 waiting: n1, n2: SecretMissing: Secret\/tor does not exist; and 1 more$/],
  },
  {
    title: 'a pool that is too small is no conflict between objects',
    violations: [conflict({ reason: 'PoolExhausted', node: 'n3', other: { kind: 'RouterNode', name: 'n1' } })],
    tally: counts({
      ready: 2,
      failed: 1,
      obstacles: { ...counts().obstacles, failed: [{ node: 'n3', reason: 'PoolExhausted', message: 'none left' }] },
    }),
    accepted: ['True', 'Accepted'],
    ready: ['False', 'PoolExhausted', /n3: PoolExhausted: none left/],
  },
  {
    title: 'failed goes before away, and both are told',
    tally: counts({
      ready: 1,
      failed: 1,
      away: 1,
      obstacles: {
        ...counts().obstacles,
        failed: [{ node: 'n1', reason: 'Kernel', message: 'no VRF' }],
        away: [{ node: 'n2', reason: 'AgentDisconnected', message: 'the agent is away since noon' }],
      },
    }),
    accepted: ['True', 'Accepted'],
    ready: ['False', 'Kernel', /1 failed: n1: Kernel: no VRF\. 1 unknown: n2: the agent is away since noon$/],
    summary: '1/3',
  },
  {
    title: 'only agents are away',
    tally: counts({
      ready: 2,
      away: 1,
      obstacles: { ...counts().obstacles, away: [{ node: 'n2', reason: 'AgentDisconnected', message: 'away' }] },
    }),
    accepted: ['True', 'Accepted'],
    ready: ['Unknown', 'AgentDisconnected', /2 of 3 nodes ready/],
  },
  {
    title: 'the spec is no good',
    declared: declared({ checked: { problem: 'spec.vni: 0 is out of range; use 1 to 16777215' } }),
    accepted: ['False', 'Invalid'],
    ready: ['False', 'NotAccepted', /out of range/],
  },
]

for (const each of cases)
  test(each.title, (t) => {
    const tally = 'problem' in (each.declared ?? declared()).checked ? undefined : (each.tally ?? counts())
    const facts = { declared: each.declared ?? declared(), violations: each.violations ?? [], tally }
    const status = resourceStatus(facts, NOW)
    const [accepted, ready] = [condition(status, 'Accepted'), condition(status, 'Ready')]
    t.deepEqual([accepted?.status, accepted?.reason], [...each.accepted])
    t.deepEqual([ready?.status, ready?.reason], each.ready.slice(0, 2))
    t.regex(ready?.message ?? '', each.ready[2])
    t.is(accepted?.observedGeneration, 3)
    if (each.summary !== undefined) t.is(status?.nodes?.summary, each.summary)
  })

const before = (ready: Condition['status'], generation = 3): ResourceStatus => ({
  conditions: (['Accepted', 'Ready'] as const).map((type) => ({
    type,
    status: type === 'Ready' ? ready : 'True',
    reason: 'Before',
    message: 'before',
    observedGeneration: generation,
    lastTransitionTime: '2025-01-01T00:00:00Z',
  })),
  nodes: { selected: 3, ready: 2, failed: 0, summary: '2/3' },
})

test('the time of a transition stays while the status does, whatever the reason and the generation', (t) => {
  const facts = { declared: declared({ status: before('True', 2) }), violations: [], tally: counts() }
  t.is(condition(resourceStatus(facts, NOW), 'Ready')?.lastTransitionTime, '2025-01-01T00:00:00Z')
  const failing = { ...facts, tally: counts({ ready: 2, applying: 1 }) }
  t.is(condition(resourceStatus(failing, NOW), 'Ready')?.lastTransitionTime, '2026-01-01T12:00:00Z')
})

test('after a restart agents that are expected back are taken to be as they were', (t) => {
  const tally = counts({ ready: 1, unseen: 2 })
  const was = (status: ResourceStatus) => resourceStatus({ declared: declared({ status }), violations: [], tally }, NOW)
  t.is(condition(was(before('True')), 'Ready')?.status, 'True')
  t.is(was(before('False')), undefined)
  t.is(condition(was(before('True', 2)), 'Ready')?.reason, 'Applying')
})

test('after a restart a failure is told though others have not come back', (t) => {
  const failed = [{ node: 'n1', reason: 'Kernel', message: 'no VRF' }]
  const tally = counts({ ready: 0, failed: 1, unseen: 2, obstacles: { ...counts().obstacles, failed } })
  const status = resourceStatus({ declared: declared({ status: before('True') }), violations: [], tally }, NOW)
  t.is(condition(status, 'Ready')?.reason, 'Kernel')
  t.is(status?.nodes?.summary, '2/3')
})

test('the same conflict on many nodes is one sentence', (t) => {
  const violations = ['a', 'b', 'c', 'd', 'e'].map((node) => conflict({ reason: 'UnderlayConflict', node }))
  const message = condition(
    resourceStatus({ declared: declared(), violations, tally: counts() }, NOW),
    'Accepted',
  )?.message
  t.regex(message ?? '', /\(on a, b, c and 2 more nodes\)/)
  t.is(message?.match(/belongs to/g)?.length, 1)
})
