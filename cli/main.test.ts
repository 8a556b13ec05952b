import test from 'ava'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { main } from './main.ts'

const demo = join(import.meta.dirname, '../examples/demo')

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function run(...args: string[]): Promise<Ran> {
  const out: string[] = []
  const err: string[] = []
  const code = await main(args, { print: (text) => out.push(text), complain: (text) => err.push(text) })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

function files(texts: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'nodeleaf-cli-'))
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(directory, name), text)
  return directory
}

const l3 = (name: string, vni: number, vrf = name) =>
  `apiVersion: nodeleaf.io/v1alpha1\nkind: L3VNI\nmetadata: {name: ${name}}\nspec:\n  vni: ${vni}\n  vrf: ${vrf}\n`

test('the demo is valid', async (t) => {
  t.deepEqual(await run('validate', '-f', demo), { code: 0, out: '7 good objects, 0 errors, 0 warnings', err: '' })
})

test('a bad file is named with its line, and the exit code is 1', async (t) => {
  const directory = files({ 'a.yaml': l3('red', 0), 'b.yaml': l3('blue', 2) })
  const { code, out, err } = await run('validate', '-f', directory)
  t.is(code, 1)
  t.is(err, `error: ${directory}/a.yaml:5: L3VNI/red: spec.vni: 0 is out of range; use 1 to 16777215`)
  t.is(out, '1 good object, 1 error, 0 warnings')
})

test('a conflict names both objects with their places', async (t) => {
  const directory = files({ 'a.yaml': l3('red', 1), 'b.yaml': l3('blue', 1) })
  const { code, err } = await run('validate', '-f', join(directory, 'a.yaml'), '-f', join(directory, 'b.yaml'))
  t.is(code, 1)
  t.true(err.startsWith(`error: ${directory}/a.yaml:5: L3VNI/red: spec.vni: 1`))
  t.true(err.includes(`belongs to L3VNI/blue`) && err.includes(`${directory}/b.yaml:1`))
})

test('the plan is YAML for one node, and passwords are not in it', async (t) => {
  const directory = files({
    'a.yaml': `apiVersion: nodeleaf.io/v1alpha1
kind: Underlay
metadata: {name: u}
spec:
  asn: 64514
  routerIDCIDR: 10.9.0.0/24
  neighbors:
    - {address: 10.0.0.1, type: External, passwordSecret: {name: s}}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {password: hunter2}
`,
  })
  const { code, out, err } = await run('plan', '-f', directory, '--node', 'n', '--index', '4')
  t.deepEqual([code, err], [0, ''])
  t.like(parse(out), { node: 'n', router: { routerID: '10.9.0.5', neighbors: [{ password: '<redacted>' }] } })
  for (const flag of ['--kernel', '--frr', '-ojson']) {
    const shown = await run('plan', '-f', directory, '--node', 'n', '--index', '4', flag)
    t.is(shown.code, 0, flag)
    t.notRegex(shown.out, /hunter2/, flag)
  }
})

test('json holds plan, revision, refusals, problems, kernel and FRR', async (t) => {
  const { out } = await run('plan', '-f', demo, '--node', 'node1', '-o', 'json')
  t.deepEqual(Object.keys(JSON.parse(out)).sort(), ['frr', 'kernel', 'plan', 'problems', 'refused', 'revision'])
})

test('the MTU of a NIC and the shape of the datapath can be given', async (t) => {
  const mtu = async (link: string, ...more: string[]): Promise<unknown> => {
    const { out } = await run('plan', '-f', demo, '--node', 'node1', '--kernel', ...more)
    return (parse(out) as { name?: string; mtu?: number }[]).find((each) => each.name === link)?.mtu
  }
  t.is(await mtu('svi100'), 1450)
  t.is(await mtu('svi100', '--mtu', 'eth1=9000'), 8950)
  t.is(await mtu('vx100', '--datapath', 'per-vni', '--mtu', 'eth1=9000'), 8950)
  t.is(await mtu('svi100', '--datapath', 'per-vni'), undefined)
})

test('what is refused is said on standard error, and the rest is planned', async (t) => {
  const directory = files({ 'z.yaml': l3('zred', 5, 'red') })
  const { code, out, err } = await run('plan', '-f', demo, '-f', directory, '--node', 'node1')
  t.is(code, 1)
  t.regex(err, /^refused: .*z\.yaml:6: L3VNI\/zred: spec\.vrf: .* belongs to L3VNI\/red/)
  t.is((parse(out) as { vrfs: unknown[] }).vrfs.length, 2)
})

test('index and labels come from a node file', async (t) => {
  const file = join(files({ node: 'name: node9\nindex: 8\nlabels: {rack: a}\n' }), 'node')
  const { out } = await run('plan', '-f', demo, '--node-file', file)
  t.like(parse(out), { node: 'node9', router: { vteps: ['100.65.0.9'] } })
})

for (const args of [
  [],
  ['frobnicate'],
  ['validate'],
  ['validate', '-f', '/no/such/file'],
  ['validate', '--nonsense'],
  ['plan', '-f', demo],
  ['plan', '-f', demo, '--node', 'unknown'],
  ['plan', '-f', demo, '--node', 'n', '--index', 'x'],
  ['plan', '-f', demo, '--node', 'node1', '-o', 'xml'],
  ['plan', '-f', demo, '--node', 'node1', '--mtu', 'eth1'],
  ['plan', '-f', demo, '--node', 'node1', '--datapath', 'both'],
]) {
  test(`nodeleaf ${args.join(' ').replace(demo, 'DEMO')} is not understood: exit code 2`, async (t) => {
    const { code, out, err } = await run(...args)
    t.is(code, 2)
    t.true(err !== '' || out !== '')
  })
}

for (const args of [['--help'], ['validate', '--help'], ['plan', '-h'], ['version'], ['--version']])
  test(`nodeleaf ${args.join(' ')} answers`, async (t) => {
    const { code, out } = await run(...args)
    t.is(code, 0)
    t.true(out.length > 0)
  })
