import test from 'ava'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { desired, DesiredTrees, usersOfBfd } from './desired.ts'
import { examplePlans } from './example-plans.ts'
import { goldenPath } from './golden.ts'
import { format, parse, redacted } from './text.ts'

for (const [name, plan] of Object.entries(examplePlans)) {
  test(name, (t) => {
    const path = goldenPath(name)
    const text = format(desired(plan))
    if (process.env['UPDATE_GOLDEN'] === '1' || !existsSync(path)) writeFileSync(path, text)
    t.is(text, readFileSync(path, 'utf8'))
    t.is(format(parse(text)), text)
  })
}

test('what two plans have in common is the same object, what differs is as if made anew', (t) => {
  const trees = new DesiredTrees()
  for (const plan of Object.values(examplePlans)) {
    const first = trees.of(plan)
    t.is(trees.of(plan), first)
    t.deepEqual(first, desired(plan))
    const again = trees.of({ ...plan, segments: [...plan.segments] })
    t.deepEqual(again, first)
    const instances = (tree: typeof first) => tree.body.filter(({ line }) => line.startsWith('router bgp '))
    t.true(instances(again).every((block, at) => block === instances(first)[at]))
    const { router } = plan
    if (router === undefined) continue
    const other = { ...plan, router: { ...router, asn: 64999 } }
    t.deepEqual(trees.of(other), desired(other))
    t.deepEqual(trees.of(plan), desired(plan))
  }
})

test('each resource with BFD is told once, and whose sessions have none is not', (t) => {
  const users = (example: string): string[] =>
    usersOfBfd(examplePlans[example] ?? t.fail()).map(({ kind, name }) => `${kind}/${name}`)
  t.deepEqual(users('underlay with everything on a neighbor'), ['Underlay/fabric'])
  t.deepEqual(users('host session with policies'), ['L3VNI/red'])
  t.deepEqual(users('two VPNs'), [])
  t.deepEqual(users('no underlay'), [])
})

test('a gateway that comes or goes is seen in its VRF', (t) => {
  const trees = new DesiredTrees()
  const plan = examplePlans['gateways in a VPN and in a local VRF'] ?? t.fail()
  for (const each of [plan, { ...plan, segments: [] }, plan]) t.deepEqual(trees.of(each), desired(each))
  t.notDeepEqual(trees.of(plan), trees.of({ ...plan, segments: [] }))
})

test('no golden file is left over from an example that went', (t) => {
  const files = readdirSync(dirname(goldenPath('any'))).toSorted()
  const names = Object.keys(examplePlans).map((name) => goldenPath(name).split('/').at(-1))
  t.deepEqual(files, names.toSorted())
})

test('every line says which resource it serves', (t) => {
  const plan = examplePlans['own route targets'] ?? t.fail()
  const walk = (block: ReturnType<typeof desired>): void => {
    for (const child of block.body) {
      t.truthy(child.for, child.line)
      walk(child)
    }
  }
  walk(desired(plan))
})

test('passwords do not show in redacted text', (t) => {
  for (const name of ['underlay with everything on a neighbor', 'listen ranges', 'host session with policies']) {
    const text = format(desired(examplePlans[name] ?? t.fail()))
    t.true(text.includes('secret'))
    t.false(redacted(text).includes('secret'))
  }
})
