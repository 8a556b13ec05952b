import test from 'ava'
import type { DatapathShape } from './kernel/objects.ts'
import { chooseDatapath, type DatapathFacts } from './datapath.ts'

const OLD_KERNEL = 'the kernel (5.10) has no VNI filter, 5.18 has'
const [old, current] = [
  { version: '8.4.4', single: false },
  { version: '10.3', single: true },
]

const rows: readonly [what: string, facts: DatapathFacts, shape: DatapathShape, reason: RegExp][] = [
  ['a fresh node gets the single shape where both can', { mode: 'auto', frr: current }, 'single', /FRR 10\.3 can/],
  ['a fresh node does before FRR is there', { mode: 'auto' }, 'single', /not reached yet/],
  ['an old kernel falls back', { mode: 'auto', kernel: OLD_KERNEL, frr: current }, 'per-vni', /VNI filter/],
  ['an old FRR falls back', { mode: 'auto', frr: old }, 'per-vni', /FRR 8\.4\.4/],
  ['an FRR that turns out too old takes even what runs', { mode: 'auto', frr: old, running: 'single' }, 'per-vni', /8/],
  ['what runs is kept', { mode: 'auto', frr: current, running: 'per-vni' }, 'per-vni', /--datapath single changes it/],
  ['what runs is kept while FRR is away', { mode: 'auto', running: 'single' }, 'single', /the node runs it/],
  ['per-vni may be forced on a running node', { mode: 'per-vni', frr: current, running: 'single' }, 'per-vni', /asked/],
  ['single may be forced on a running node', { mode: 'single', frr: current, running: 'per-vni' }, 'single', /asked/],
]
for (const [what, facts, shape, reason] of rows) {
  test(what, (t) => {
    const choice = chooseDatapath(facts)
    t.is(choice.shape, shape)
    t.regex(choice.reason, reason)
    t.is(choice.impossible, undefined)
  })
}

test('a forced single shape that cannot be had says why', (t) => {
  t.like(chooseDatapath({ mode: 'single', kernel: OLD_KERNEL }), { impossible: true })
  t.regex(chooseDatapath({ mode: 'single', frr: old }).reason, /cannot be had: FRR 8\.4\.4.*choose auto or per-vni/)
})
