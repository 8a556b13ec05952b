import test from 'ava'
import { diff } from './diff.ts'
import { observedRules, vrfRules } from './vrf-rules.ts'
import { AF_INET, AF_INET6 } from './netlink/inet.ts'
import type { Rule } from './netlink/rule.ts'
import type { KernelObject } from './objects.ts'

const ref = { kind: 'Underlay', name: 'fabric' } as const
const rule = (family: Rule['family'], priority: number, table = 255): Rule => ({
  family,
  priority,
  table,
  l3mdev: false,
})

const closing = (family: Rule['family'], priority: number): Rule => ({
  ...rule(family, priority, 0),
  l3mdev: true,
  action: 'unreachable',
})
/** The kernel's own, which looks up a VRF's table. */
const lookup: Rule = { ...rule(AF_INET, 1000, 0), l3mdev: true, action: 'lookup' }

test('VRFs are closed behind the lookup of their tables, and that of own addresses goes behind both, in both families', (t) => {
  const fresh = observedRules([rule(AF_INET, 0), lookup, rule(AF_INET, 32766, 254), rule(AF_INET6, 0)], ref)
  const texts = diff(vrfRules(ref), observed(fresh)).map(({ text, stage }) => `${stage}: ${text}`)
  t.deepEqual(texts, [
    'create: close VRFs of the router for IPv4 at priority 2000',
    'create: close VRFs of the router for IPv6 at priority 2000',
    'create: look up IPv4 addresses of the router itself at priority 32765',
    'create: look up IPv6 addresses of the router itself at priority 32765',
  ])
})

test('once there they are left alone, and a rule for some packets only is none of them', (t) => {
  const rules = ([AF_INET, AF_INET6] as const).flatMap((family) => [closing(family, 2000), rule(family, 32765)])
  const some = [
    { ...rule(AF_INET, 5), iif: 'lo' },
    { ...closing(AF_INET, 6), from: '10.0.0.0/8' },
  ]
  t.deepEqual(diff(vrfRules(ref), observed(observedRules([...rules, ...some], ref))), [])
})

test('a second one before it counts', (t) => {
  const have = observedRules([rule(AF_INET, 32765), rule(AF_INET, 0), rule(AF_INET6, 32765)], ref)
  t.deepEqual(
    have.map(({ priority }) => priority),
    [0, 32765],
  )
})

test('they are not taken away', (t) => {
  t.deepEqual(diff([], observed(vrfRules(ref))), [])
})

function observed(objects: readonly KernelObject[]) {
  return { objects, foreign: [], moving: [] }
}

test('closing routes that an earlier agent made go when the rules are there', (t) => {
  const own = { namespace: 'router', for: { kind: 'L3VNI', name: 'red' } } as const
  const vrf = { ...own, type: 'link', kind: 'vrf', name: 'red', table: 7, up: true } as const
  const routes = ['0.0.0.0/0', '::/0'].map((destination) => ({
    ...own,
    type: 'route' as const,
    table: 7,
    destination,
    metric: 4278198272,
    target: { type: 'unreachable' as const },
  }))
  const operations = diff([...vrfRules(ref), vrf], observed([vrf, ...routes]))
  t.deepEqual(
    operations.map(({ text, stage }) => `${stage}: ${text.split(' ').slice(0, 2).join(' ')}`),
    [
      'create: close VRFs',
      'create: close VRFs',
      'create: look up',
      'create: look up',
      'raise: delete route',
      'raise: delete route',
    ],
  )
})
