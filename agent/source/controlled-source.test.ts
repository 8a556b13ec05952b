import test from 'ava'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkResource } from '../../api/manifest/check.ts'
import { kindNamed, type AnyResource } from '../../api/kinds/kinds.ts'
import { piecesOf, textOfPiece } from '../../api/plan/pieces.ts'
import { plan } from '../../api/plan/plan.ts'
import type { Violation } from '../../api/rules/violation.ts'
import { snapshotOf } from '../../api/snapshot/snapshot.ts'
import { changedPlan, emptyPlan } from './held-plan.ts'
import { decode, sealed } from './last-good-file.ts'
import * as reader from './file-reader.ts'
import { PlanSource, type PlanSourceOptions, type SourceReading } from './plan-source.ts'
import { controllerPlan, type ControllerPlan } from './plan-updates.ts'

const document = (kind: string, name: string, spec: object): string =>
  `apiVersion: nodeleaf.io/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${JSON.stringify(spec)}\n`

function object(kind: string, name: string, spec: object): AnyResource {
  const declared = kindNamed(kind)
  if (!declared) throw new Error(kind)
  const checked = checkResource(declared, { apiVersion: 'nodeleaf.io/v1alpha1', kind, metadata: { name }, spec })
  if ('issues' in checked) throw new Error(JSON.stringify(checked.issues))
  return checked.object
}

const FABRIC = {
  asn: 64514,
  vtep: { cidrs: ['100.65.0.0/24'] },
  neighbors: [{ address: '192.168.10.1', type: 'External' }],
}
const fabric = object('Underlay', 'fabric', FABRIC)
const red = object('L3VNI', 'red', { vni: 100, vrf: 'red' })

function fromController(objects: readonly AnyResource[], index = 0, node = 'host'): ControllerPlan {
  const made = plan(snapshotOf(objects), { name: node, index, labels: {} })
  const set = piecesOf(made.plan).map((piece) => [piece.key, textOfPiece(piece)] as const)
  return controllerPlan(changedPlan(emptyPlan(node), { set, remove: [] }))
}

function setup(options: Partial<PlanSourceOptions> = {}) {
  const base = mkdtempSync(join(tmpdir(), 'nodeleaf-controlled-'))
  const configDir = join(base, 'config')
  mkdirSync(configDir)
  const all: PlanSourceOptions = {
    configDir,
    stateDir: join(base, 'state'),
    controller: true,
    hostName: 'host',
    reader,
    addressesOf: () => [],
    ...options,
  }
  const boot = (more: Partial<PlanSourceOptions> = {}): PlanSource => new PlanSource({ ...all, ...more })
  return {
    configDir,
    stateDir: all.stateDir,
    boot,
    write: (name: string, text: string) => writeFileSync(join(configDir, name), text),
  }
}

const now = (): number => Date.now() + 60_000
const vrfs = ({ planned }: SourceReading): string[] => (planned?.plan.vrfs ?? []).map(({ name }) => name)

test("the controller's plan is on the disk when it counts, and a boot without controller and files comes up with it", (t) => {
  const { boot, configDir } = setup()
  rmSync(configDir, { recursive: true })
  const source = boot()
  const empty = source.read(now())
  t.is(empty.planned, undefined)
  t.deepEqual(empty.problems, [], 'neither files nor a number are needed')
  const given = fromController([fabric, red], 6)
  source.take(given)
  for (const each of [source, boot()]) {
    const { planned, problems, lastGood } = each.read(now())
    t.is(planned?.revision, given.revision)
    t.is(planned?.from, 'controller')
    t.is(planned?.controllerRevision, given.revision)
    t.deepEqual(planned?.fromFiles, [])
    t.deepEqual(problems, [])
    t.is(lastGood, given.revision)
    t.is(each.controllerPlan?.revision, given.revision)
  }
})

test('files that say the same change nothing, not even the revision', (t) => {
  const { boot, write } = setup({ index: 0 })
  write('a.yaml', `${document('Underlay', 'fabric', FABRIC)}---\n${document('L3VNI', 'red', { vni: 100, vrf: 'red' })}`)
  const source = boot()
  const before = source.read(now())
  t.is(before.planned?.from, 'configuration')
  source.take(fromController([fabric, red]))
  const after = source.read(now())
  t.is(after.planned?.revision, before.planned?.revision)
  t.is(after.planned?.from, 'controller')
  t.deepEqual([after.problems, after.conflicts], [[], []])
})

test('a conflict is a problem as long as it lasts', (t) => {
  const { boot, write } = setup({ index: 0 })
  write(
    'a.yaml',
    `${document('Underlay', 'fabric', FABRIC)}---\n${document('L3VNI', 'blue', { vni: 100, vrf: 'blue' })}`,
  )
  const source = boot()
  t.deepEqual(vrfs(source.read(now())), ['blue'])
  source.take(fromController([fabric, red]))
  const reading = source.read(now())
  t.deepEqual(vrfs(reading), ['red'])
  t.is(reading.conflicts.length, 1)
  t.regex(reading.problems[0]?.message ?? '', /L3VNI\/blue/)
  source.take(fromController([fabric]))
  const healed = source.read(now())
  t.deepEqual([vrfs(healed), healed.problems], [['blue'], []])
  source.take(fromController([]))
  t.deepEqual(vrfs(source.read(now())), ['blue'], 'and the Underlay of the files is back')
})

test("the node's addresses are never another's: what the controller gave stays when the files' Underlay takes over", (t) => {
  const { boot, write } = setup({ index: 0 })
  write('a.yaml', document('Underlay', 'own', FABRIC))
  const source = boot()
  const vtep = (reading: SourceReading): string | undefined => reading.planned?.plan.router?.vteps[0]
  t.is(vtep(source.read(now())), '100.65.0.1')
  source.take(fromController([fabric], 6))
  t.is(vtep(source.read(now())), '100.65.0.7')
  source.take(fromController([]))
  for (const each of [source, boot()]) {
    const reading = each.read(now())
    t.is(vtep(reading), '100.65.0.7')
    t.is(reading.conflicts.length, 1)
  }
})

test("files of a node without a number are planned with the controller's", (t) => {
  const { boot, write } = setup()
  write(
    'a.yaml',
    document('L3VNI', 'blue', {
      vni: 200,
      vrf: 'blue',
      hostSession: { hostASN: 1, localCIDR: { ipv4: '10.1.0.0/24' } },
    }),
  )
  const source = boot()
  const first = source.read(now())
  t.is(first.planned, undefined)
  t.regex(first.problems[0]?.message ?? '', /--index/)
  source.take(fromController([fabric], 6))
  const reading = source.read(now())
  t.deepEqual(reading.planned?.plan.vrfs[0]?.hostSession?.hostAddresses, ['10.1.0.8/24'])
  t.deepEqual(reading.problems, [])
  t.deepEqual(boot().read(now()).planned?.plan, reading.planned?.plan)
})

test('a plan that cannot be stored does not count', (t) => {
  const { boot, stateDir } = setup()
  const source = boot()
  source.take(fromController([fabric]))
  rmSync(stateDir, { recursive: true })
  writeFileSync(stateDir, '')
  t.throws(() => source.take(fromController([fabric, red])), { code: 'UNWRITABLE' })
  t.is(source.controllerPlan?.revision, fromController([fabric]).revision)
})

test('a router that runs is not taken down because the files want nothing before the controller has spoken', (t) => {
  const { boot, write, configDir } = setup({ index: 0 })
  write('a.yaml', document('Underlay', 'fabric', FABRIC))
  const alone = boot({ controller: false }).read(now())
  rmSync(join(configDir, 'a.yaml'))
  const moved = boot()
  t.is(moved.read(now()).planned?.revision, alone.planned?.revision)
  moved.take(fromController([]))
  t.is(moved.read(now()).planned?.plan.router, undefined, 'now it has')
})

test('a plan of the controller that this version cannot read stays in place until the controller speaks', (t) => {
  const { boot, write, stateDir } = setup({ index: 0 })
  write('a.yaml', document('Underlay', 'fabric', FABRIC))
  const before = boot()
  before.read(now())
  before.take(fromController([fabric, red]))
  const path = join(stateDir, 'last-good')
  const stored = decode(readFileSync(path, 'utf8'), path).value
  if (stored.controller === undefined) return t.fail()
  const pieces = { ...stored.controller.pieces, 'later/thing': '{}' }
  writeFileSync(path, sealed({ ...stored, controller: { ...stored.controller, pieces } }).text)
  const booted = boot()
  const reading = booted.read(now())
  t.deepEqual(vrfs(reading), ['red'])
  t.regex(reading.problems[0]?.message ?? '', /cannot be read by this version/)
  t.is(booted.controllerPlan, undefined, 'it asks for all of it')
  booted.take(fromController([fabric]))
  const after = booted.read(now())
  t.deepEqual([vrfs(after), after.problems], [[], []])
})

test('without --controller what a controller once said does not count', (t) => {
  const { boot } = setup({ index: 0 })
  const source = boot()
  source.take(fromController([fabric]))
  const reading = boot({ controller: false }).read(now())
  t.is(reading.planned?.plan.router, undefined)
  t.is(reading.planned?.from, 'configuration')
})

test('a node of another name does not take the plan of the one before', (t) => {
  const { boot } = setup()
  const source = boot()
  source.read(now())
  source.take(fromController([fabric]))
  const renamed = boot({ node: 'other' })
  renamed.read(now())
  t.is(renamed.controllerPlan, undefined)
})

test('a last good plan of before there were controllers is read, and one of now by an agent of then', (t) => {
  const { boot, stateDir, write, configDir } = setup({ index: 0 })
  write('a.yaml', document('Underlay', 'fabric', FABRIC))
  boot({ controller: false }).read(now())
  const path = join(stateDir, 'last-good')
  const { revision, plan: kept, refused, files, arrivals } = decode(readFileSync(path, 'utf8'), path).value
  writeFileSync(path, sealed({ revision, plan: kept, refused, files, ...(arrivals ? { arrivals } : {}) }).text)
  rmSync(configDir, { recursive: true })
  const source = boot()
  const reading = source.read(now())
  t.is(reading.planned?.revision, revision)
  t.is(reading.planned?.from, 'last-good')
  t.regex(reading.problems[0]?.message ?? '', /does not exist/, 'files that were there are missed')
  source.take(fromController([fabric]))
  const stored = decode(readFileSync(path, 'utf8'), path).value
  t.is(stored.plan.router?.asn, 64514)
  t.is(typeof stored.files, 'object')
})

test('when the files cannot be read, what they said last still counts beside the controller', (t) => {
  const { boot, write, configDir } = setup({ index: 0 })
  write('a.yaml', document('L3VNI', 'blue', { vni: 200, vrf: 'blue' }))
  const source = boot()
  source.read(now())
  source.take(fromController([fabric]))
  t.deepEqual(vrfs(source.read(now())), ['blue'])
  rmSync(configDir, { recursive: true })
  const booted = boot()
  const reading = booted.read(now())
  t.deepEqual(vrfs(reading), ['blue'])
  t.deepEqual(reading.planned?.fromFiles, ['L3VNI/blue'])
  booted.take(fromController([fabric, red]))
  t.deepEqual(vrfs(booted.read(now())), ['blue', 'red'])
})

const many = (count: number): readonly AnyResource[] => [
  fabric,
  ...Array.from({ length: count }, (_, at) => object('L2VNI', `s${at}`, { vni: 1000 + at })),
]

test('a change of a large plan is on the disk without the rest of it, and whole again before the end', (t) => {
  const { boot, stateDir } = setup()
  const source = boot()
  source.take(fromController(many(400)))
  const path = join(stateDir, 'last-good')
  const written = readFileSync(path, 'utf8')
  const violation: Violation = {
    object: { kind: 'L3VNI', name: 'x' },
    reason: 'VNIConflict',
    field: 'f',
    message: 'm',
    remedy: 'r',
  }
  const next = { ...fromController([...many(401), red]), refused: [violation], refusedDigest: 'd' }
  source.take(next)
  t.is(readFileSync(path, 'utf8'), written)
  for (const each of [source, boot()]) {
    const { planned, lastGood, problems } = each.read(now())
    t.deepEqual(planned?.plan, next.plan)
    t.deepEqual([planned?.revision, lastGood, planned?.refused], [next.revision, next.revision, [violation]])
    t.is(each.controllerPlan?.refusedDigest, 'd')
    t.deepEqual(problems, [])
  }
  const booted = boot()
  booted.take(fromController(many(400)))
  booted.take(next)
  booted.settle()
  const { value } = decode(readFileSync(path, 'utf8'), path)
  t.deepEqual([value.plan, value.revision], [next.plan, next.revision], 'for an agent of before')
})

test('what does not change stays the same object, whatever the rest does and wherever it comes from', (t) => {
  const { boot, write } = setup({ index: 0 })
  const source = boot()
  const parts = (): Set<unknown> => {
    const { planned } = source.read(now())
    return new Set([planned?.plan.router, ...(planned?.plan.vrfs ?? []), ...(planned?.plan.segments ?? [])])
  }
  const kept = (before: Set<unknown>, after: Set<unknown>): number =>
    [...after].filter((each) => before.has(each)).length
  const blue = (vni: number): string => document('L3VNI', 'blue', { vni, vrf: 'blue' })
  write('a.yaml', `${document('Underlay', 'fabric', FABRIC)}---\n${blue(7)}`)
  const first = parts()
  write('b.yaml', document('L2VNI', 'web', { vni: 8 }))
  const second = parts()
  t.deepEqual([second.size, kept(first, second)], [3, 2], 'files')
  source.take(fromController([fabric, red]))
  const third = parts()
  t.deepEqual([third.size, kept(second, third)], [4, 3], 'files and controller')
  write('a.yaml', blue(9))
  const fourth = parts()
  t.deepEqual([fourth.size, kept(third, fourth)], [4, 3], 'files beside the controller')
  source.take(fromController([fabric, red, object('L2VNI', 'more', { vni: 10 })]))
  const fifth = parts()
  t.deepEqual([fifth.size, kept(fourth, fifth)], [5, 4])
})

test('without what understands files they are neither read nor taken for gone; with it they count', (t) => {
  const { boot, write, configDir, stateDir } = setup({ index: 0, controller: false })
  const unread = { configDir, stateDir, hostName: 'host', addressesOf: () => [], index: 0 }
  write('a.yaml', document('Underlay', 'fabric', FABRIC))
  t.true(new PlanSource(unread).lacksReader, 'a file is there')
  const { planned } = boot().read(now())
  rmSync(join(configDir, 'a.yaml'))
  t.true(new PlanSource(unread).lacksReader, 'a file was there')
  rmSync(stateDir, { recursive: true })
  const source = new PlanSource(unread)
  t.false(source.lacksReader)
  const empty = source.read(now())
  t.is(empty.planned?.plan.router, undefined)
  write('a.yaml', document('Underlay', 'fabric', FABRIC))
  const reading = source.read(now())
  t.deepEqual([source.lacksReader, reading.unsettled, reading.lastGood], [true, true, empty.lastGood])
  source.use(reader)
  t.is(source.read(now()).planned?.revision, planned?.revision)
})
