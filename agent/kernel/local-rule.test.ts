import test from 'ava'
import { diff } from './diff.ts'
import { localRules, observedLocalRules } from './local-rule.ts'
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

test('the lookup of own addresses goes behind that of the VRFs, in both families', (t) => {
  const fresh = observedLocalRules([rule(AF_INET, 0), rule(AF_INET, 32766, 254), rule(AF_INET6, 0)], ref)
  const texts = diff(localRules(ref), observed(fresh)).map(({ text, stage }) => `${stage}: ${text}`)
  t.deepEqual(texts, [
    'create: look up IPv4 addresses of the router itself at priority 32765',
    'create: look up IPv6 addresses of the router itself at priority 32765',
  ])
})

test('once there it is left alone, and a rule for some packets only is not it', (t) => {
  const rules = [rule(AF_INET, 32765), rule(AF_INET6, 32765), { ...rule(AF_INET, 5), iif: 'lo' }]
  t.deepEqual(diff(localRules(ref), observed(observedLocalRules(rules, ref))), [])
})

test('a second one before it counts', (t) => {
  const have = observedLocalRules([rule(AF_INET, 32765), rule(AF_INET, 0), rule(AF_INET6, 32765)], ref)
  t.deepEqual(
    have.map(({ priority }) => priority),
    [0, 32765],
  )
})

test('it is not taken away', (t) => {
  t.deepEqual(diff([], observed(localRules(ref))), [])
})

function observed(objects: readonly KernelObject[]) {
  return { objects, foreign: [], moving: [] }
}
