import test from 'ava'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as reader from './file-reader.ts'
import { PlanSource, type SourceReading, type PlanSourceOptions } from './plan-source.ts'

const UNDERLAY = `
apiVersion: nodeleaf.io/v1alpha1
kind: Underlay
metadata: {name: fabric}
spec:
  asn: 64514
  vtep: {cidrs: [100.65.0.0/24]}
  neighbors: [{address: 192.168.10.1, type: External}]
`
const l3vni = (name: string, vni: number): string => `
apiVersion: nodeleaf.io/v1alpha1
kind: L3VNI
metadata: {name: ${name}}
spec: {vni: ${vni}, vrf: ${name}}
`
const OLD = 1_000_000

function setup(options: Partial<PlanSourceOptions> = {}) {
  const base = mkdtempSync(join(tmpdir(), 'nodeleaf-static-'))
  const configDir = join(base, 'config')
  mkdirSync(configDir)
  const all: PlanSourceOptions = {
    configDir,
    stateDir: join(base, 'state'),
    index: 0,
    hostName: 'host',
    reader,
    addressesOf: () => [],
    ...options,
  }
  const write = (name: string, text: string): void => {
    writeFileSync(join(configDir, name), text)
    utimesSync(join(configDir, name), OLD, OLD + write.length)
  }
  return { base, configDir, write, boot: () => new PlanSource(all), options: all }
}

const vrfs = (reading: SourceReading): string[] => (reading.planned?.plan.vrfs ?? []).map(({ name }) => name)
const messages = (reading: SourceReading): string => reading.problems.map(({ message }) => message).join('\n')
const now = (): number => Date.now() + 60_000

test('good files become a plan, and the plan is on disk before it is applied', (t) => {
  const { write, boot } = setup()
  write('fabric.yaml', UNDERLAY)
  write('red.yaml', l3vni('red', 100))
  const reading = boot().read(now())
  t.deepEqual(vrfs(reading), ['red'])
  t.is(reading.planned?.plan.router?.vteps[0], '100.65.0.1')
  t.is(reading.lastGood, reading.planned?.revision)
  t.deepEqual(reading.problems, [])
})

test('an empty directory wants nothing, a missing one leaves everything as it is', (t) => {
  const { write, boot, configDir } = setup()
  write('fabric.yaml', UNDERLAY)
  const source = boot()
  const first = source.read(now())
  rmSync(configDir, { recursive: true })
  const away = source.read(now())
  t.is(away.planned?.revision, first.planned?.revision)
  t.regex(messages(away), /does not exist/)
  mkdirSync(configDir)
  t.is(source.read(now()).planned?.plan.router, undefined)
})

test('a bad file leaves the rest and its own last good version, also over a restart', (t) => {
  const { write, boot } = setup()
  write('fabric.yaml', UNDERLAY)
  write('red.yaml', l3vni('red', 100))
  const source = boot()
  source.read(now())
  write('red.yaml', l3vni('red', 0))
  write('blue.yaml', l3vni('blue', 200))
  for (const each of [source, boot()]) {
    const reading = each.read(now())
    t.deepEqual(vrfs(reading), ['blue', 'red'])
    t.regex(messages(reading), /red.yaml:/)
  }
})

test('a node boots into its last good plan when the directory is gone', (t) => {
  const { write, boot, configDir } = setup()
  write('fabric.yaml', UNDERLAY)
  write('red.yaml', l3vni('red', 100))
  const first = boot().read(now())
  rmSync(configDir, { recursive: true })
  const reading = boot().read(now())
  t.is(reading.planned?.revision, first.planned?.revision)
  t.is(reading.planned?.from, 'last-good')
})

test('a node boots into its last good plan when all files are bad', (t) => {
  const { write, boot } = setup()
  write('fabric.yaml', UNDERLAY)
  const first = boot().read(now())
  write('fabric.yaml', 'kind: [')
  write('other.yaml', ':\n\t-')
  t.is(boot().read(now()).planned?.revision, first.planned?.revision)
})

test('nothing is known on the first boot with nothing but bad files', (t) => {
  const { write, boot } = setup()
  write('fabric.yaml', 'kind: [')
  const reading = boot().read(now())
  t.is(reading.planned, undefined)
  t.true(reading.problems.length > 0)
})

test('a damaged store is reported and the files count', (t) => {
  const { write, boot, options } = setup()
  write('fabric.yaml', UNDERLAY)
  boot().read(now())
  const path = join(options.stateDir, 'last-good')
  writeFileSync(path, readFileSync(path, 'utf8').replace('64514', '64515'))
  const source = boot()
  const reading = source.read(now())
  t.is(reading.planned?.plan.router?.asn, 64514)
  t.is(reading.planned?.from, 'configuration')
  t.regex(messages(reading), /checksum/)
  t.true(reading.unsettled, 'it is read again soon, and then:')
  t.deepEqual(source.read(now()).problems, [], 'once it is written anew, there is nothing to report')
  t.deepEqual(boot().read(now()).problems, [])
})

test('a node without a number keeps what it has and says how to get one', (t) => {
  const { write, boot, options } = setup()
  write('fabric.yaml', UNDERLAY)
  const first = boot().read(now())
  const { index: _, ...numberless } = options
  const reading = new PlanSource(numberless).read(now())
  t.is(reading.planned?.revision, first.planned?.revision)
  t.regex(messages(reading), /--index/)
})

test('a RouterNode document numbers and labels the node', (t) => {
  const { write, options } = setup()
  write('fabric.yaml', UNDERLAY)
  write('n.yaml', 'apiVersion: nodeleaf.io/v1alpha1\nkind: RouterNode\nmetadata: {name: host}\nspec: {index: 4}\n')
  const { index: _, ...numberless } = options
  t.is(new PlanSource(numberless).read(now()).planned?.plan.router?.vteps[0], '100.65.0.5')
})

test('a number from an interface outlives the interface', (t) => {
  const nodeFile = join(mkdtempSync(join(tmpdir(), 'nodeleaf-node-')), 'node.yaml')
  writeFileSync(nodeFile, 'name: n1\nindexFrom: {interface: eth1}\n')
  const { write, options } = setup()
  write('fabric.yaml', UNDERLAY)
  const { index: _, ...numberless } = options
  const vtep = (addressesOf: PlanSourceOptions['addressesOf']): string | undefined =>
    new PlanSource({ ...numberless, nodeFile, addressesOf }).read(now()).planned?.plan.router?.vteps[0]
  t.is(
    vtep(() => ['192.168.10.11/24']),
    '100.65.0.12',
  )
  t.is(
    vtep(() => []),
    '100.65.0.12',
  )
})

test('an object that stands in two files is taken once and reported', (t) => {
  const { write, boot } = setup()
  write('a.yaml', UNDERLAY + '---' + l3vni('red', 100))
  write('b.yaml', l3vni('red', 200))
  const reading = boot().read(now())
  t.deepEqual(
    reading.planned?.plan.vrfs.map(({ l3vni: l3 }) => l3?.vni),
    [100],
  )
  t.regex(messages(reading), /twice/)
})

test('reading the same again changes nothing', (t) => {
  const { write, boot } = setup()
  write('fabric.yaml', UNDERLAY)
  const source = boot()
  t.deepEqual(source.read(now()), source.read(now()))
})

test('the example of the documentation is good', (t) => {
  const example = join(import.meta.dirname, '..', '..', 'docs', 'example')
  const { options } = setup({ configDir: join(example, 'config'), nodeFile: join(example, 'node.yaml') })
  const { index: _, ...numberless } = options
  const reading = new PlanSource({ ...numberless, addressesOf: () => ['192.168.10.11/24'] }).read(now())
  t.deepEqual([reading.problems, reading.planned?.refused], [[], []])
  t.is(reading.node.name, 'node1')
  t.is(reading.planned?.plan.segments[0]?.vni, 110)
})

test('a new object does not displace the one in use that it contradicts, whatever its name, not even after a boot', (t) => {
  const { write, boot, configDir } = setup()
  write('fabric.yaml', UNDERLAY)
  write('red.yaml', l3vni('red', 100))
  const source = boot()
  t.deepEqual(vrfs(source.read(now())), ['red'])
  write('amber.yaml', l3vni('amber', 100))
  t.deepEqual(vrfs(source.read(now())), ['red'])
  const booted = boot()
  const reading = booted.read(now())
  t.deepEqual(vrfs(reading), ['red'])
  t.deepEqual(
    reading.planned?.refused.map(({ object }) => object.name),
    ['amber'],
  )
  rmSync(join(configDir, 'red.yaml'))
  t.deepEqual(vrfs(booted.read(now())), ['amber'])
})
