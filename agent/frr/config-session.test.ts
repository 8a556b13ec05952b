import test from 'ava'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Session } from './config-session.ts'
import { Vty } from './vty.ts'
import type { ExecutionContext } from 'ava'
import type { Socket } from 'node:net'
import type { Command } from './tree.ts'

interface Daemon {
  readonly vty: Vty
  /** What it was sent, one list for each time that it was waited for an answer. */
  readonly rounds: string[][]
}

/** A daemon that refuses what the test says, and hangs up at the line "die". */
async function daemon(
  t: ExecutionContext,
  refuses: (line: string) => boolean = () => false,
  why = '',
): Promise<Daemon> {
  const path = join(mkdtempSync(join(tmpdir(), 'nodeleaf-session-')), 'bgpd.vty')
  const rounds: string[][] = []
  const answer = (text: string, socket: Socket) => {
    const lines = text.split('\0').slice(0, -1)
    rounds.push(lines)
    if (lines.includes('die')) return socket.destroy()
    for (const line of lines) socket.write(refuses(line) ? `${why}\0\0\0\x02` : '\0\0\0\0')
    return undefined
  }
  const server = createServer((socket) => socket.on('data', (data) => answer(data.toString(), socket)))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => server.close())
  const vty = await Vty.open(path)
  t.teardown(() => vty.close())
  return { vty, rounds }
}

const red = 'router bgp 1 vrf red'
const inBlock = (context: readonly string[], ...lines: string[]): Command[] =>
  lines.map((line) => ({ context, line, undo: [`no ${line}`], daemons: ['bgpd'] }))

test('inside a BGP instance nothing is waited for', async (t) => {
  const { vty, rounds } = await daemon(t)
  const session = await Session.begin(vty, 'bgpd', () => undefined)
  const results = await session.enter([
    ...inBlock([], red),
    ...inBlock([red], 'bgp router-id 1.1.1.1'),
    ...inBlock([red, 'address-family ipv4 unicast'], 'network 10.0.0.0/8', 'maximum-paths 4'),
    ...inBlock([red, 'address-family l2vpn evpn'], 'rd 1:1', 'advertise ipv4 unicast'),
    ...inBlock([red], 'neighbor 1.1.1.2 remote-as 1'),
    ...inBlock(['router bgp 1'], 'a'),
  ])
  t.true(results.every(({ outcome }) => outcome === 'ok'))
  t.deepEqual(rounds, [
    ['configure terminal', red],
    [
      'bgp router-id 1.1.1.1',
      'address-family ipv4 unicast',
      'network 10.0.0.0/8',
      'maximum-paths 4',
      'exit-address-family',
      'address-family l2vpn evpn',
      'rd 0.0.0.1:1',
      'rd 1:1',
      'advertise ipv4 unicast',
      'exit-address-family',
      'neighbor 1.1.1.2 remote-as 1',
    ],
    ['exit', 'router bgp 1'],
    ['a'],
  ])
})

test('in an instance that is known to be there a change is one round', async (t) => {
  const { vty, rounds } = await daemon(t)
  const change = async (...commands: Command[]) => {
    await using session = await Session.begin(vty, 'bgpd', () => undefined, [red, 'router bgp 1'])
    return await session.enter(commands)
  }
  const family = 'address-family ipv4 unicast'
  const commands = [...inBlock([red, family], 'network 10.0.0.0/8'), ...inBlock(['router bgp 1', family], 'a')]
  const results = await change(...commands)
  t.true(results.every(({ outcome }) => outcome === 'ok'))
  await change(...inBlock([red], 'b'))
  t.deepEqual(rounds, [
    ['configure terminal', red, family, 'network 10.0.0.0/8', 'router bgp 1', family, 'a'],
    ['end', 'configure terminal', red, 'b'],
  ])
})

test('an instance that goes and comes again is waited for', async (t) => {
  const { vty, rounds } = await daemon(t, (line) => line === red)
  const session = await Session.begin(vty, 'bgpd', () => undefined, [red])
  const results = await session.enter([...inBlock([], `no ${red}`, red), ...inBlock([red], 'a')])
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['ok', 'refused', 'skipped'],
  )
  t.false(rounds.flat().includes('a'))
})

test('a daemon that refuses configuration mode takes nothing', async (t) => {
  const { vty } = await daemon(t, (line) => line === 'configure terminal')
  const session = await Session.begin(vty, 'bgpd', () => undefined, [red])
  await t.throwsAsync(session.enter(inBlock([red], 'a')), { code: 'unexpected' })
})

test('instances are made one behind the other, then get their lines, and nothing is waited for', async (t) => {
  const { vty, rounds } = await daemon(t)
  const session = await Session.begin(vty, 'bgpd', () => undefined)
  const names = Array.from({ length: 20 }, (_, n) => `router bgp 1 vrf v${n}`)
  const family = 'address-family ipv4 unicast'
  const commands = names.flatMap((name) => [
    ...inBlock([], name),
    ...inBlock([name], 'bgp graceful-restart'),
    ...inBlock([name, family], 'network 10.0.0.0/8'),
  ])
  const results = await session.enter([...commands, ...inBlock([], 'route-map x permit 10')])
  t.deepEqual(
    results.map(({ command, outcome }) => [command, outcome]),
    [...commands, ...inBlock([], 'route-map x permit 10')].map((command) => [command, 'ok']),
  )
  const contents = (name: string) => [name, 'bgp graceful-restart', family, 'network 10.0.0.0/8']
  const [first, lines, ...others] = rounds
  t.deepEqual(first, ['configure terminal', ...names.slice(0, 16)])
  // The instance made last is where we stand.
  t.deepEqual(lines, names.slice(0, 16).flatMap(contents))
  t.deepEqual(others.flat(), [
    'exit-address-family',
    'exit',
    ...names.slice(16),
    ...names.slice(16).flatMap(contents),
    'exit-address-family',
    'exit',
    'route-map x permit 10',
  ])
})

test('instances go one behind the other; one that still has its VNI is asked to go again', async (t) => {
  const waits = new Set(['no router bgp 1 vrf b', 'no router bgp 1'])
  const { vty, rounds } = await daemon(t, (line) => waits.delete(line), '% Please unconfigure l3vni 100')
  const session = await Session.begin(vty, 'bgpd', () => undefined)
  const commands = inBlock(
    [],
    'no router bgp 1 vrf a',
    'no router bgp 1 vrf b',
    'no router bgp 1 vrf c',
    'no router bgp 1',
  )
  const after = [...inBlock([], 'route-map x permit 10'), ...inBlock(['route-map x permit 10'], 'match tag 1')]
  const results = await session.enter([...commands, ...after])
  t.true(results.every(({ outcome }) => outcome === 'ok'))
  const [first, ...others] = rounds
  t.deepEqual(first, ['configure terminal', ...commands.map(({ line }) => line)])
  t.deepEqual(others.flat(), ['no router bgp 1 vrf b', 'no router bgp 1', 'route-map x permit 10', 'match tag 1'])
})

test('nothing is entered in an instance that was refused', async (t) => {
  const { vty, rounds } = await daemon(t, (line) => line === red)
  const session = await Session.begin(vty, 'bgpd', () => undefined)
  const results = await session.enter([
    ...inBlock([], red),
    ...inBlock([red], 'a', 'b'),
    ...inBlock(['router bgp 1'], 'c'),
  ])
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['refused', 'skipped', 'skipped', 'ok'],
  )
  t.false(rounds.flat().includes('a'))
})

test('what was sent ahead to a block that was refused does not count as entered', async (t) => {
  const { vty } = await daemon(t, (line) => line === 'address-family ipv6 unicast')
  const session = await Session.begin(vty, 'bgpd', () => undefined)
  const results = await session.enter([
    ...inBlock([red, 'address-family ipv4 unicast'], 'a'),
    ...inBlock([red, 'address-family ipv6 unicast'], 'b'),
    ...inBlock([], 'router bgp 1 vrf blue'),
    ...inBlock(['router bgp 1 vrf blue'], 'c'),
    ...inBlock(['router bgp 1'], 'd'),
  ])
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['ok', 'skipped', 'ok', 'ok', 'ok'],
  )
})

test('a daemon that goes away in the middle fails the session once', async (t) => {
  const { vty } = await daemon(t)
  const session = await Session.begin(vty, 'bgpd', () => undefined)
  const commands = [
    ...inBlock([red], 'a', 'die', 'b'),
    ...inBlock([red, 'address-family ipv4 unicast'], 'c'),
    ...inBlock(['router bgp 1'], 'd'),
  ]
  await t.throwsAsync(session.enter(commands), { code: 'disconnected' })
})

test('lines that cannot be one commit because somebody has the lock are entered one by one, each with its own refusal', async (t) => {
  const locked = (line: string) => line === 'configure terminal file-lock' || line === 'vni 200'
  const { vty, rounds } = await daemon(t, locked, '% command failed, could not lock running DS')
  const session = await Session.begin(vty, 'mgmtd', () => undefined)
  const commands = [...inBlock(['vrf red'], 'vni 100'), ...inBlock(['vrf blue'], 'vni 200')]
  const results = await session.enter(commands)
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['ok', 'refused'],
  )
  t.false(rounds.flat().includes('mgmt commit apply'))
})
