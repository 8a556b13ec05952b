import test from 'ava'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { desired } from './desired.ts'
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
