import test from 'ava'
import { commitsOf } from './together.ts'
import type { Command } from './tree.ts'

const command = (vrf: string, line: string): Command => ({
  context: [`vrf ${vrf}`],
  line,
  undo: [],
  daemons: ['mgmtd'],
})

test('a VNI is gone before another comes in its place', (t) => {
  const commands = [command('red', 'no vni 100'), command('blue', 'no vni 200'), command('red', 'vni 150')]
  t.deepEqual(commitsOf(commands), [commands.slice(0, 2), commands.slice(2)])
})

test('otherwise mgmtd commits everything at once', (t) => {
  const coming = [command('red', 'vni 100'), command('blue', 'vni 200')]
  const going = [command('red', 'no vni 100'), command('blue', 'no vni 200')]
  t.deepEqual(commitsOf(coming), [coming])
  t.deepEqual(commitsOf(going), [going])
})

test('many VNIs are several commits, in order', (t) => {
  const coming = Array.from({ length: 120 }, (_, at) => command(`v${at}`, `vni ${at}`))
  t.deepEqual(commitsOf(coming), [coming.slice(0, 50), coming.slice(50, 100), coming.slice(100)])
  t.deepEqual(commitsOf([]), [])
})
