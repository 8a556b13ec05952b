import test from 'ava'
import { desired } from './desired.ts'
import { examplePlans } from './example-plans.ts'
import { ours } from './owned.ts'
import { RunningConfig } from './running-config.ts'
import { format, parse, sections } from './text.ts'
import type { Block } from './tree.ts'

const texts = Object.values(examplePlans).map((plan) => format(desired(plan)))
const everything = () => new RunningConfig({ mode: 'managed', owns: () => true })
const read = (of: RunningConfig, text: string): Block => of.take(new Map([['bgpd', text]]))

test('one text after another reads as each would alone', (t) => {
  const running = everything()
  for (const from of texts) {
    for (const to of texts) {
      read(running, from)
      t.deepEqual(read(running, to), ours(parse(to), 'managed'))
    }
  }
})

test('pieces of a text read as the whole', (t) => {
  for (const text of texts) {
    t.is(sections(text).join(''), text)
    t.deepEqual(
      sections(text).flatMap((section) => parse(section).body),
      parse(text).body,
    )
  }
})

test('blocks that are printed as before are the same objects', (t) => {
  const running = everything()
  const block = (name: string, text: string) => `router bgp 1 vrf ${name}\n ${text}\nexit\n!\n`
  const before = read(running, block('blue', 'a') + block('red', 'b'))
  const after = read(running, block('blue', 'a') + block('green', 'c') + block('red', 'other'))
  t.is(after.body[0], before.body[0])
  t.deepEqual(
    after.body.map(({ line }) => line),
    ['router bgp 1 vrf blue', 'router bgp 1 vrf green', 'router bgp 1 vrf red'],
  )
  t.is(after.body[2]?.body[0]?.line, 'other')
})

test('a block that is printed twice is one', (t) => {
  const text = 'router bgp 1\n a\nexit\n!\nrouter bgp 2\n b\nexit\n!\nrouter bgp 1\n c\nexit\n'
  t.deepEqual(read(everything(), text), parse(text))
})

test('only the part of the owner counts', (t) => {
  const owns = (daemon: string, line: string) => daemon === 'mgmtd' && line.startsWith('vrf ')
  const running = new RunningConfig({ mode: 'external', owns })
  const text = 'vrf red\n vni 100\n ip route 10.0.0.0/8 blackhole\nexit-vrf\n!\nrouter bgp 1\nexit\n'
  const found = running.take(
    new Map([
      ['mgmtd', text],
      ['bgpd', text],
    ]),
  )
  t.deepEqual(found, parse('vrf red\n vni 100\nexit-vrf\n'))
})

test('what was printed last is known, from every daemon', (t) => {
  const running = everything()
  const printed = (bgpd: string, mgmtd: string) =>
    new Map([
      ['bgpd', bgpd],
      ['mgmtd', mgmtd],
    ] as const)
  t.false(running.began)
  running.take(printed('a', 'b'))
  t.true(running.began)
  t.true(running.isLast(printed('a', 'b')))
  t.false(running.isLast(printed('a', 'c')))
})
