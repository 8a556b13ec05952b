import test from 'ava'
import { assert, boolean, constantFrom, infiniteStream, property } from 'fast-check'
import { ownership } from './daemons.ts'
import { commandsFor, diff } from './diff.ts'
import { desired, DesiredTrees } from './desired.ts'
import { examplePlans } from './example-plans.ts'
import { enter } from './tree-model.ts'
import { parse } from './text.ts'
import { root } from './tree.ts'
import type { Block, Command } from './tree.ts'

const trees = Object.entries(examplePlans).map(([name, plan]) => [name, desired(plan)] as const)
const tree = constantFrom(...trees.map(([, each]) => each)).chain((whole) =>
  infiniteStream(boolean()).map((keep) => thinned(whole, keep)),
)

/** Some of a tree's lines; a neighbour's other lines go when its first one does, as FRR would have it. */
function thinned(whole: Block, keep: Iterator<boolean>): Block {
  const dropped = new Set<string>()
  const thin = (block: Block, path: readonly string[]): Block => ({
    ...block,
    body: block.body
      .filter((child) => {
        const neighbor = /^neighbor (\S+)|peer-group (\S+)$/.exec(child.line)
        const name = `${path[1] ?? ''} ${neighbor?.[1] ?? neighbor?.[2]}`
        if (neighbor && dropped.has(name)) return false
        if (keep.next().value !== false) return true
        if (/^neighbor \S+ (remote-as|interface|peer-group)/.test(child.line)) dropped.add(name)
        return false
      })
      .map((child) => thin(child, [...path, child.line])),
  })
  return thin(whole, [''])
}

/** Without order, resources and empty blocks: what counts for FRR. */
function plain(block: Block): unknown {
  const made = /^(router bgp|route-map|profile|vni) /
  return block.body
    .map((child): unknown => [child.line, plain(child)])
    .filter((pair) => {
      const [line, body] = pair as [string, unknown[]]
      return body.length > 0 || made.test(line) || !/^(bfd|vrf \S+|address-family .*)$/.test(line)
    })
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

function after(commands: readonly Command[], have: Block): Block {
  return commands.reduce((so, { context, line }) => enter(so, context, [line]), have)
}

test('nothing is entered when nothing changes', (t) => {
  for (const [name, each] of trees) t.deepEqual(diff(each, each), [], name)
})

test('the order of lines does not count', (t) => {
  const have = parse('router bgp 1\n bgp router-id 1.1.1.1\n no bgp ebgp-requires-policy\nexit\n')
  const want = parse('router bgp 1\n no bgp ebgp-requires-policy\n bgp router-id 1.1.1.1\nexit\n')
  t.deepEqual(diff(want, have), [])
})

test('entering the commands makes one tree of the other, for every pair of examples', (t) => {
  for (const [from, have] of trees) {
    for (const [to, want] of trees) t.deepEqual(plain(after(diff(want, have), have)), plain(want), `${from} -> ${to}`)
  }
})

test('entering the commands makes one tree of the other, for parts of examples', (t) => {
  assert(
    property(tree, tree, (want, have) => {
      t.deepEqual(plain(after(diff(want, have), have)), plain(want))
    }),
    { numRuns: 300 },
  )
})

/** The same said the other way round, in objects of its own. */
function reversed(block: Block): Block {
  return { ...block, body: block.body.map(reversed).toReversed() }
}

test('leaving out what is equal changes no command and no order', (t) => {
  assert(
    property(tree, tree, (want, have) => {
      t.deepEqual(diff(want, have), commandsFor(want, have))
      const other = reversed(want)
      t.deepEqual(diff(other, have), commandsFor(other, have))
    }),
    { numRuns: 300 },
  )
})

test('one VPN more in a tree that shares its blocks takes the commands of that VPN', (t) => {
  const plan = examplePlans['two VPNs'] ?? t.fail()
  const shared = new DesiredTrees()
  const have = shared.of({ ...plan, vrfs: plan.vrfs.slice(1) })
  const want = shared.of(plan)
  const commands = diff(want, have)
  t.deepEqual(commands, commandsFor(want, have))
  t.deepEqual([...new Set(commands.map((command) => command.for?.name))], [plan.vrfs[0]?.for.name])
})

test('the inverses in reverse order make the old tree again', (t) => {
  assert(
    property(tree, tree, (want, have) => {
      const commands = diff(want, have)
      const back = commands
        .toReversed()
        .reduce((so, { context, undo }) => enter(so, context, undo), after(commands, have))
      t.deepEqual(plain(back), plain(have))
    }),
    { numRuns: 300 },
  )
})

test('a VRF lets go of its VNI before its BGP instance, the default instance goes last', (t) => {
  const have = trees.find(([name]) => name === 'red alone')?.[1] ?? root([])
  const lines = diff(root([]), have).flatMap(({ line }) => (line === 'bgp shutdown' ? [] : [line]))
  t.deepEqual(lines.slice(0, 3), ['no vni 100', 'no router bgp 64514 vrf red', 'no router bgp 64514'])
})

test('the first VNI leaves the fabric sessions alone', (t) => {
  const have = desired(examplePlans['underlay alone'] ?? t.fail())
  const want = desired(examplePlans['red alone'] ?? t.fail())
  t.deepEqual(
    diff(want, have).filter(({ context }) => context[0] === 'router bgp 64514'),
    [],
  )
})

test('what no daemon takes is left out, whatever else there is to do', (t) => {
  const want = desired(examplePlans['underlay with everything on a neighbor'] ?? t.fail())
  const whole = diff(want, root([]))
  const without = diff(want, root([]), (line) => (line.startsWith('bfd') ? [] : ownership(line)))
  t.deepEqual(
    without,
    whole.filter(({ daemons }) => !daemons.includes('bfdd')),
  )
  t.true(without.length < whole.length)
})

test('a changed value is entered over the old one', (t) => {
  const have = parse('router bgp 1\n neighbor 10.0.0.1 remote-as 2\n neighbor 10.0.0.1 timers 3 9\nexit\n')
  const want = parse('router bgp 1\n neighbor 10.0.0.1 remote-as 2\n neighbor 10.0.0.1 timers 1 3\nexit\n')
  t.deepEqual(diff(want, have), [
    {
      context: ['router bgp 1'],
      line: 'neighbor 10.0.0.1 timers 1 3',
      undo: ['neighbor 10.0.0.1 timers 3 9'],
      daemons: ['bgpd'],
    },
  ])
})

test('a neighbor in another AS is made anew, and its inverse restores it in all families', (t) => {
  const text = (as: number) =>
    `router bgp 1\n neighbor 10.0.0.1 remote-as ${as}\n neighbor 10.0.0.1 password x\n !\n address-family ipv4 unicast\n  neighbor 10.0.0.1 activate\n exit-address-family\nexit\n`
  const [first, ...others] = diff(parse(text(3)), parse(text(2)))
  t.is(first?.line, 'no neighbor 10.0.0.1')
  t.deepEqual(first?.undo, [
    'neighbor 10.0.0.1 remote-as 2',
    'neighbor 10.0.0.1 password x',
    'address-family ipv4 unicast',
    'neighbor 10.0.0.1 activate',
    'exit-address-family',
  ])
  t.deepEqual(
    others.map(({ line }) => line),
    ['neighbor 10.0.0.1 remote-as 3', 'neighbor 10.0.0.1 password x', 'neighbor 10.0.0.1 activate'],
  )
})

test('every command names the resource it serves, removals inside its blocks too', (t) => {
  const have = desired(examplePlans['host session with policies'] ?? t.fail())
  const want = desired(examplePlans['red alone'] ?? t.fail())
  const inRed = diff(want, have).filter(({ context }) => context[0] === 'router bgp 64514 vrf red')
  t.true(inRed.length > 0)
  for (const command of inRed) t.deepEqual(command.for, { kind: 'L3VNI', name: 'red' })
})

test('an instance that goes tells its neighbors so first', (t) => {
  const have = parse(
    'router bgp 1\n neighbor 10.0.0.1 remote-as 2\nexit\nrouter bgp 1 vrf red\n network 10.1.0.0/16\nexit\n',
  )
  const commands = diff(root([]), have).map(({ context, line }) => [...context, line].join(' / '))
  t.deepEqual(commands, ['no router bgp 1 vrf red', 'router bgp 1 / bgp shutdown', 'no router bgp 1'])
})
