import test from 'ava'
import { statusDocument, type StatusFacts } from '../agent/status/document.ts'
import { ago, statusText } from './status-text.ts'

const at = Date.parse('2026-01-02T03:04:05Z')
const red = { kind: 'L3VNI', name: 'red' } as const

const facts: StatusFacts = {
  now: at,
  start: at - 60_000,
  netns: 'nodeleaf',
  versions: { agent: '0.1.0', frr: '10.3', kernel: '6.12', runtime: 'v24' },
  frr: { mode: 'managed', name: 'nodeleaf', state: 'connected' },
  datapath: { shape: 'single', reason: 'the kernel and FRR 10.3 can' },
  applied: 'abc',
  source: {
    node: { name: 'n1', labels: {}, number: { index: 0, from: 'node file' } },
    problems: [],
    conflicts: [],
    files: 2,
    unsettled: false,
    lastGood: 'abc',
    planned: {
      revision: 'abc',
      from: 'configuration',
      refused: [],
      plan: { node: 'n1', vrfs: [], segments: [] },
    },
  },
  resources: [
    { ref: { kind: 'Underlay', name: 'fabric' }, state: { state: 'Ready', since: at - 45_000 } },
    {
      ref: red,
      state: {
        state: 'Failed',
        since: at - 190_000,
        reason: 'NameTaken',
        message: 'br100 is not ours',
        attempts: 1,
        nextTry: at + 30_000,
      },
    },
  ],
  sessions: [
    {
      peer: '192.168.10.1',
      remoteAS: 64601,
      state: 'Established',
      since: '2026-01-02T03:00:00Z',
      prefixesReceived: 4,
      prefixesSent: 2,
    },
  ],
  vnis: [{ vni: 100, type: 'L3', vrf: 'red', state: 'Up', vteps: 2, macs: 0 }],
  lastPass: { at, durationMs: 12, reasons: ['source'], netlinkWrites: 3, frrCommands: 7 },
  counters: { netlinkWrites: 3, frrCommands: 7, reconciles: 2, phases: { looking: 12 } },
}

test('the text shows node, plan, resources, sessions and VNIs', (t) => {
  t.deepEqual(statusText(statusDocument(facts)).split('\n'), [
    'Node:       n1 (index 0 from node file)',
    'Router:     netns nodeleaf, no Underlay',
    'VTEP:       -',
    'Router ID:  -',
    'Plan:       abc, applied',
    'FRR:        managed, connected',
    'Datapath:   single (the kernel and FRR 10.3 can)',
    'Versions:   agent 0.1.0, frr 10.3, kernel 6.12, runtime v24',
    'Work:       2 passes, 3 netlink writes, 7 FRR commands since 2026-01-02T03:03:05.000Z',
    'Last pass:  3 netlink writes, 7 FRR commands in 12 ms (source)',
    '',
    'RESOURCE         STATE   SINCE  MESSAGE',
    'Underlay/fabric  Ready   45s',
    'L3VNI/red        Failed  3m10s  NameTaken: br100 is not ours, next try in 30s',
    '',
    'SESSION       VRF      AS     STATE        SINCE  RECEIVED  SENT  BFD',
    '192.168.10.1  default  64601  Established  4m5s   4         2     -',
    '',
    'VNI  TYPE  VRF  STATE  REMOTE VTEPS  MACS',
    '100  L3    red  Up     2             0',
  ])
})

test('what is wrong is shown first', (t) => {
  const text = statusText(
    statusDocument({
      ...facts,
      frr: { mode: 'external', name: 'x', state: 'away', message: 'nobody listens' },
      nodeState: { state: 'Failed', since: at, reason: 'InternalError', message: 'netlink', attempts: 1, nextTry: at },
      source: { ...facts.source, problems: [{ where: 'a.yaml', message: 'a.yaml:3: bad' }] },
    }),
  )
  t.true(text.indexOf('InternalError: netlink') < text.indexOf('a.yaml:3: bad'))
  t.true(text.indexOf('a.yaml:3: bad') < text.indexOf('RESOURCE'))
  t.regex(text, /external, away: nobody listens/)
})

test('a node without a plan says so', (t) => {
  const { planned: _, ...source } = facts.source
  const text = statusText(
    statusDocument({
      ...facts,
      resources: [],
      source: { ...source, node: { name: 'n1', labels: {}, number: { problem: 'x' } } },
    }),
  )
  t.regex(text, /Plan: +none is known/)
  t.regex(text, /no number/)
})

for (const [seconds, text] of [
  [0, '0s'],
  [59, '59s'],
  [60, '1m'],
  [190, '3m10s'],
  [7500, '2h5m'],
  [349_200, '4d1h'],
] as const) {
  test(`${seconds} seconds are ${text}`, (t) => t.is(ago(0, seconds * 1000), text))
}

for (const [connection, text] of [
  [
    { state: 'connected', since: at - 60_000, replica: 'controller-0', lastContact: at },
    'c.example:7443, connected to controller-0 for 1m',
  ],
  [
    { state: 'away', since: at - 5000, lastContact: at - 5000, lastError: 'UNAVAILABLE: gone' },
    'c.example:7443, away for 5s, last heard 5s ago: UNAVAILABLE: gone',
  ],
  [
    { state: 'refused', since: at, lastError: 'UNAUTHENTICATED: expired', reason: 'Unauthenticated' },
    'c.example:7443, refused for 0s, never heard, Unauthenticated: UNAUTHENTICATED: expired',
  ],
] as const) {
  test(`a controller that is ${connection.state} is shown`, (t) => {
    const shown = statusText(statusDocument({ ...facts, controller: { address: 'c.example:7443', ...connection } }))
    t.true(shown.split('\n').includes(`Controller: ${text}`), shown)
  })
}

test('where the plan is from is shown', (t) => {
  const { planned } = facts.source
  if (planned === undefined) return t.fail()
  const from = (controllerRevision: string): string =>
    statusText(
      statusDocument({
        ...facts,
        source: { ...facts.source, planned: { ...planned, from: 'controller', controllerRevision } },
      }),
    )
  t.regex(from('abc'), /^Plan: +abc, applied, from the controller \(alone\)$/m)
  t.regex(from('def'), /^Plan: +abc, applied, from the controller \(and files\)$/m)
})

test('how far a pass is stands there while it runs', (t) => {
  const progress = { since: at - 12_000, doing: 'raising links', done: 300, total: 1000 }
  t.regex(
    statusText(statusDocument({ ...facts, progress })),
    /^At work: +raising links, 300 of 1000 steps done, for 12s$/m,
  )
  t.notRegex(statusText(statusDocument(facts)), /At work/)
})
