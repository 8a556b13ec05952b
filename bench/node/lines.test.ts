import test from 'ava'
import { desired } from '../../agent/frr/desired.ts'
import { diff } from '../../agent/frr/diff.ts'
import { parse } from '../../agent/frr/text.ts'
import { root } from '../../agent/frr/tree.ts'
import { vtyshText } from './lines.ts'
import { nodePlan } from './workload.ts'

test('the lines of a whole plan, read back, are the plan', (t) => {
  const want = desired(nodePlan(20))
  const text = vtyshText(diff(want, root([])))
  t.deepEqual(diff(want, parse(text)), [])
})

test('a block stays open as long as its lines follow each other', (t) => {
  const daemons = ['bgpd'] as const
  const line = (context: readonly string[], text: string) => ({ context, line: text, undo: [], daemons })
  const family = ['router bgp 1 vrf t0', 'address-family ipv4 unicast']
  const text = vtyshText([
    line(family, 'no network 10.0.0.0/24'),
    line(family, 'network 10.0.1.0/24'),
    line(['vrf t0'], 'vni 5'),
  ])
  t.is(
    text,
    [
      'router bgp 1 vrf t0',
      'address-family ipv4 unicast',
      'no network 10.0.0.0/24',
      'network 10.0.1.0/24',
      'exit-address-family',
      'exit',
      'vrf t0',
      'vni 5',
      'exit-vrf',
      '',
    ].join('\n'),
  )
})
