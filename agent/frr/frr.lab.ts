/** FRR itself, in a namespace with the links that the example plans need: does it take, and print back, what we write? */
import test from 'ava'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { desired } from './desired.ts'
import { diff } from './diff.ts'
import { examplePlans } from './example-plans.ts'
import { Frr } from './frr.ts'
import { goldenPath } from './golden.ts'
import { ManagedFrr } from './managed.ts'
import { parse } from './text.ts'
import { root } from './tree.ts'
import { Vty } from './vty.ts'
import { isDeaf } from './zebra-deaf.ts'
import type { ExecutionContext } from 'ava'
import type { Block, Daemon } from './tree.ts'
import type { Answer } from './vty.ts'

const ip = (...words: string[]) => execFileSync('ip', words)
const options = { name: 'lab-leaf', netns: '/run/netns/lab-leaf' }
const torOptions = { name: 'lab-tor', netns: '/run/netns/lab-tor' }
const managed = new ManagedFrr(options)
const torManaged = new ManagedFrr(torOptions)
let frr: Frr
let tor: Frr

test.before(async () => {
  for (const name of ['lab-leaf', 'lab-tor']) {
    ip('netns', 'add', name)
    ip('-n', name, 'link', 'set', 'lo', 'up')
  }
  ip('link', 'add', 'eth1', 'netns', 'lab-leaf', 'type', 'veth', 'peer', 'name', 'eth1', 'netns', 'lab-tor')
  for (const [name, last] of [
    ['lab-leaf', 11],
    ['lab-tor', 1],
  ] as const) {
    ip('-n', name, 'addr', 'add', `192.168.10.${last}/24`, 'dev', 'eth1')
    ip('-n', name, 'addr', 'add', `fd00:10::${last}/64`, 'dev', 'eth1', 'nodad')
    ip('-n', name, 'link', 'set', 'eth1', 'up')
  }
  ip('-n', 'lab-leaf', 'link', 'add', 'vtep0', 'type', 'dummy')
  ip('-n', 'lab-leaf', 'addr', 'add', '100.65.0.1/32', 'dev', 'vtep0')
  ip('-n', 'lab-leaf', 'link', 'set', 'vtep0', 'up')
  for (const [vrf, vni, table] of [
    ['red', 100, 1100],
    ['blue', 200, 1200],
  ] as const) {
    ip('-n', 'lab-leaf', 'link', 'add', vrf, 'type', 'vrf', 'table', String(table))
    ip('-n', 'lab-leaf', 'link', 'set', vrf, 'up')
    bridgeAndVxlan(vrf, vni)
  }
  bridgeAndVxlan('red', 110)
  await Promise.all([managed.start(), torManaged.start(undefined, ['bfdd'])])
  const start = async (daemon: Daemon) => void (await managed.start(undefined, [daemon]))
  frr = await Frr.connect({ socketsDir: managed.socketsDir, mode: 'managed', start })
  tor = await Frr.connect({ socketsDir: torManaged.socketsDir, mode: 'managed' })
})

test.after.always(async () => {
  frr?.close()
  tor?.close()
  await Promise.all([managed.stop(), torManaged.stop()])
  for (const name of ['lab-leaf', 'lab-tor']) ip('netns', 'del', name)
})

function bridgeAndVxlan(vrf: string, vni: number): void {
  const link = (...words: string[]) => ip('-n', 'lab-leaf', 'link', ...words)
  link('add', `br${vni}`, 'type', 'bridge')
  link('set', `br${vni}`, 'master', vrf, 'addrgenmode', 'none', 'up')
  link('add', `vx${vni}`, 'type', 'vxlan', 'id', String(vni), 'dstport', '4789', 'local', '100.65.0.1', 'nolearning')
  link('set', `vx${vni}`, 'master', `br${vni}`, 'addrgenmode', 'none', 'up')
}

/** Brings FRR to `want`; every command is taken, and a second diff finds nothing. */
async function goTo(t: ExecutionContext, want: Block, name: string): Promise<number> {
  const commands = diff(want, await frr.running(), frr.ownership)
  const results = await frr.apply(commands)
  const refused = results.filter(({ outcome }) => outcome !== 'ok')
  t.deepEqual(
    refused.map(({ outcome, command, text }) => [outcome, ...command.context, command.line, text]),
    [],
    name,
  )
  t.deepEqual(diff(want, await frr.running(), frr.ownership), [], name)
  return commands.length
}

async function until<T>(condition: () => Promise<T | undefined | false>, what: string): Promise<T> {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    const value = await condition()
    if (value) return value
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`did not happen: ${what}`)
}

test.serial('bfdd does not run before it is needed, and then it stays', async (t) => {
  const pidFile = join(managed.socketsDir, 'bfdd.pid')
  t.false(existsSync(pidFile))
  t.deepEqual(frr.ownership('bfd'), [])
  t.deepEqual(await frr.bfdPeers(), [])
  await frr.need('bfdd')
  t.deepEqual(frr.ownership('bfd'), ['bfdd'])
  t.true(frr.connected)
  t.deepEqual(await frr.bfdPeers(), [])
  const pid = readFileSync(pidFile, 'utf8')
  await frr.need('bfdd')
  t.deepEqual((await managed.start()).started, [])
  t.is(readFileSync(pidFile, 'utf8'), pid)
})

const named = (name: string): Block => desired(examplePlans[name] ?? { node: name, vrfs: [], segments: [] })
const established = (peer: string) => async () =>
  (await frr.sessions()).find((session) => session.peer === peer && session.state === 'Established')

for (const name of Object.keys(examplePlans)) {
  test.serial(`${name}: FRR prints back the golden text`, async (t) => {
    const want = parse(readFileSync(goldenPath(name), 'utf8'))
    await goTo(t, want, name)
    await goTo(t, root([]), `${name}, taken away`)
  })
}

test.serial('any example becomes any other, and the second diff is empty', async (t) => {
  t.timeout(600_000)
  const all = Object.entries(examplePlans).map(([name, plan]) => [name, desired(plan)] as const)
  for (const [from, have] of all) {
    for (const [to, want] of all) {
      await goTo(t, have, `to prepare ${from}`)
      await goTo(t, want, `${from} -> ${to}`)
    }
  }
})

test.serial(
  'a session survives VPNs that come, change and go, and nothing is entered when nothing changed',
  async (t) => {
    const torText = `router bgp 64601
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor 192.168.10.11 remote-as 64514
 neighbor 192.168.10.11 timers connect 1
 address-family ipv4 unicast
  neighbor 192.168.10.11 activate
 exit-address-family
 address-family l2vpn evpn
  neighbor 192.168.10.11 activate
 exit-address-family
exit
`
    await goTo(t, root([]), 'empty')
    await tor.apply(diff(parse(torText), await tor.running(), tor.ownership))
    await goTo(t, named('underlay alone'), 'underlay alone')
    const before = await until(established('192.168.10.1'), 'the session with the ToR')
    for (const name of [
      'red alone',
      'two VPNs',
      'own route targets',
      'red under another VNI',
      'host session with policies',
      'underlay alone',
    ]) {
      await goTo(t, named(name), name)
    }
    const count = frr.commands
    await goTo(t, named('underlay alone'), 'again')
    t.is(frr.commands, count)
    const after = await until(established('192.168.10.1'), 'the session with the ToR')
    t.is(after.dropped, before.dropped)
    t.true(after.uptimeMs >= before.uptimeMs)
  },
)

test.serial('a refused line takes back its own resource and nothing else', async (t) => {
  await goTo(t, named('underlay alone'), 'underlay alone')
  const want = named('two VPNs')
  const red = { kind: 'L3VNI', name: 'red' } as const
  const spoilt = diff(want, await frr.running(), frr.ownership).flatMap((command) =>
    command.line === 'advertise ipv6 unicast' && command.for?.name === 'red'
      ? [
          command,
          { ...command, line: 'neighbor 192.169.10.2 password', undo: [] },
          { ...command, line: 'nonsense password hunter2', undo: [] },
        ]
      : [command],
  )
  const results = await frr.apply(spoilt)
  t.false(JSON.stringify(results.map(({ text }) => text)).includes('hunter2'))
  const others = results.filter(({ command, outcome }) => command.for?.name !== 'red' && outcome !== 'ok')
  t.deepEqual(
    others.map(({ command, text }) => [...command.context, command.line, text]),
    [],
  )
  const left = diff(want, await frr.running(), frr.ownership)
  t.true(left.length > 0)
  t.true(left.every((command) => command.for?.kind === red.kind && command.for.name === red.name))
  await goTo(t, want, 'two VPNs')
})

test.serial('what was taken is known without reading it, until somebody else changes it', async (t) => {
  await goTo(t, named('underlay alone'), 'underlay alone')
  const want = named('two VPNs')
  const { age } = frr.known
  const commands = diff(want, await frr.running(), frr.ownership)
  await frr.apply(commands, undefined, { becomes: { tree: want, age } })
  t.is(frr.known.tree, want)
  t.false(await frr.drifted())
  t.false(await frr.drifted())

  for (const [daemon, lines, back] of [
    ['bgpd', ['router bgp 64514 vrf red', 'address-family l2vpn evpn', 'no advertise ipv4 unicast'], undefined],
    ['mgmtd', ['vrf red', 'no vni 100'], undefined],
    ['bgpd', ['router bgp 64514', 'neighbor 10.66.66.66 remote-as 66'], 'no neighbor 10.66.66.66'],
  ] as const) {
    const other = await Vty.open(join(managed.socketsDir, `${daemon}.vty`))
    for (const line of ['enable', 'configure terminal', ...lines, 'end']) await other.send(line)
    other.close()
    t.true(await frr.drifted(), lines.at(-1))
    t.is(frr.known.tree, undefined)
    t.false(await frr.drifted())
    const repair = diff(want, await frr.running(), frr.ownership)
    if (back !== undefined)
      t.deepEqual(
        repair.flatMap(({ line }) => (line.startsWith('no ') ? [line] : [])),
        [back],
      )
    await frr.apply(repair, undefined, { becomes: { tree: want, age: frr.known.age } })
    t.is(frr.known.tree, want)
    t.false(await frr.drifted())
  }

  const other = await Vty.open(join(managed.socketsDir, 'bgpd.vty'))
  for (const line of ['enable', 'configure terminal', 'ip prefix-list nodeleaf-x seq 5 permit any', 'end']) {
    await other.send(line)
  }
  other.close()
  await frr.apply([], undefined, { becomes: { tree: want, age: frr.known.age } })
  t.is(frr.known.tree, want)
  t.true(await frr.drifted(), 'seen though something was entered in between')
  await goTo(t, want, 'two VPNs')
})

test.serial('a refused line leaves nothing to be taken for granted', async (t) => {
  const want = named('two VPNs')
  await goTo(t, want, 'two VPNs')
  const nonsense = { context: ['router bgp 64514'], line: 'nonsense', undo: [], daemons: ['bgpd'] } as const
  const results = await frr.apply([nonsense], undefined, { becomes: { tree: want, age: frr.known.age } })
  t.is(results[0]?.outcome, 'refused')
  t.is(frr.known.tree, undefined)
})

test.serial('some VNIs and VRFs can be asked for by themselves', async (t) => {
  await goTo(t, named('two VPNs'), 'two VPNs')
  const all = await until(async () => {
    const found = await frr.vrfVnis()
    return found.length === 2 && found
  }, 'both VNIs')
  t.deepEqual(
    await frr.vrfVnis(['red', 'blue']),
    ['red', 'blue'].map((name) => all.find(({ vrf }) => vrf === name)),
  )
  t.deepEqual(await frr.vrfVnis(['nobody']), [])
  await until(async () => (await frr.evpnVnis([100])).some(({ state }) => state === 'Up'), 'VNI 100 is up')
  const whole = await frr.evpnVnis()
  const some = await frr.evpnVnis([100, 110, 999])
  t.deepEqual(
    some.map(({ vni, type }) => [vni, type]),
    [
      [100, 'L3'],
      [110, 'L2'],
    ],
  )
  t.deepEqual(
    some,
    [100, 110].map((vni) => whole.find((each) => each.vni === vni)),
  )
  t.is(some[0]?.sviInterface, 'br100')
})

test.serial(
  'a daemon that is killed comes back with the saved configuration, nobody has to enter anything',
  async (t) => {
    const want = named('two VPNs')
    await goTo(t, want, 'two VPNs')
    managed.save(want)
    for (const daemon of ['bgpd', 'zebra', 'bfdd', 'mgmtd'] as const) {
      const gone = new Promise<unknown>((resolve) => frr.once('disconnected', resolve))
      const back = new Promise<void>((resolve) => frr.once('connected', () => resolve()))
      process.kill(Number(readFileSync(join(managed.socketsDir, `${daemon}.pid`), 'utf8')), 'SIGKILL')
      t.is(await gone, daemon)
      await back
      t.deepEqual(diff(want, await frr.running(), frr.ownership), [], daemon)
      await until(async () => (await frr.vrfVnis()).length === 2, `VNIs after ${daemon}`)
    }
  },
)

test.serial('a VNI that is taken out as soon as mgmtd is back is taken from zebra as well', async (t) => {
  const want = named('two VPNs')
  for (let round = 0; round < 10; round++) {
    await goTo(t, want, 'two VPNs')
    managed.save(want)
    await until(async () => (await frr.vrfVnis()).length === 2, 'both VNIs')
    // What zebra has to say to mgmtd is said: it would be mute for good.
    for (let times = 0; times < 10; times++) await frr.vniCount()
    const back = new Promise<void>((resolve) => frr.once('connected', () => resolve()))
    process.kill(Number(readFileSync(join(managed.socketsDir, 'mgmtd.pid'), 'utf8')), 'SIGKILL')
    await back
    const results = await frr.apply([{ context: ['vrf blue'], line: 'no vni 200', undo: [], daemons: ['mgmtd'] }])
    t.deepEqual(
      results.map(({ outcome, text }) => [outcome, text]),
      [['ok', '']],
    )
    await until(async () => (await frr.vrfVnis()).length === 1, `zebra has let go of VNI 200, round ${round}`)
  }
})

/**
 * Lets `enter` commit, and `end` happen after mgmtd has told zebra of the commit and before zebra has answered. Yields
 * what must be closed when the commit is done.
 */
async function midCommit(enter: () => void, end: () => unknown): Promise<Vty> {
  const watch = await Vty.open(join(managed.socketsDir, 'mgmtd.vty'))
  await watch.send('enable')
  const sent = async () =>
    Number(/Msg-Sent:\s*(\d+)/.exec((await watch.send('show mgmt backend-adapter all')).text)?.[1])
  const before = await sent()
  const zebra = Number(readFileSync(join(managed.socketsDir, 'zebra.pid'), 'utf8'))
  process.kill(zebra, 'SIGSTOP')
  try {
    enter()
    await until(async () => (await sent()) > before, 'the commit is on its way')
    await end()
    // mgmtd has turned to its sockets and has seen it.
    for (let times = 0; times < 5; times++) await sent()
  } finally {
    process.kill(zebra, 'SIGCONT')
  }
  return watch
}

/** What zebra is given out of freed memory may be what it was: of many values one is not. */
const many = Array.from({ length: 20 }, (_, n) => [`vrf many${n}`, `vni ${5000 + n}`] as const)

const rest = () => new Promise((resolve) => setTimeout(resolve, 100))
const mgmtdVty = async () => {
  const vty = await Vty.open(join(managed.socketsDir, 'mgmtd.vty'))
  await vty.send('enable')
  return vty
}

test.serial('an agent that is killed in the middle of a commit leaves a mgmtd that takes more', async (t) => {
  const plan = (name: string) => `${import.meta.dirname}/${name}`
  for (let round = 0; round < 5; round++) {
    await goTo(t, named('red alone'), 'red alone')
    const program = `
      const { Frr } = await import(${JSON.stringify(plan('frr.ts'))})
      const frr = await Frr.connect({ socketsDir: ${JSON.stringify(managed.socketsDir)}, mode: 'managed' })
      const many = ${JSON.stringify(many)}
      process.stdin.once('data', () => frr.apply(many.map(([vrf, line]) => (
        { context: [vrf], line, undo: [], daemons: ['mgmtd'] }
      ))))
      console.log('connected')`
    const agent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(agent.stdout, 'data')
    const watch = await midCommit(
      () => agent.stdin.write('go\n'),
      () => {
        agent.kill('SIGKILL')
        return once(agent, 'exit')
      },
    )
    const committed = async () => !(await watch.send('show mgmt transaction all')).text.includes('Txn-Id')
    await until(
      async () => (await committed()) || (await isDeaf(() => frr.signOfDeafness(), rest)),
      'the commit is done',
    )
    t.false(await isDeaf(() => frr.signOfDeafness(), rest), `round ${round}`)
    watch.close()
    frr.known.forget()
  }
  await goTo(t, named('two VPNs'), 'two VPNs')
  await until(async () => (await frr.vrfVnis()).length === 2, 'both VNIs')
})

test.serial(
  'a zebra that went deaf because somebody left mgmtd is found, and hears again once it was killed',
  async (t) => {
    await goTo(t, named('red alone'), 'red alone')
    let deaf = false
    for (let tries = 0; tries < 10 && !deaf; tries++) {
      const [committing, leaving] = [await mgmtdVty(), await mgmtdVty()]
      for (const line of ['configure terminal file-lock', ...many.flatMap((lines) => [...lines, 'exit-vrf'])])
        await committing.send(line)
      let answer: Promise<Answer> | undefined
      const watch = await midCommit(
        () => {
          answer = committing.send('mgmt commit apply')
        },
        () => leaving.close(),
      )
      const spoilt = (await answer)?.status !== 0
      await committing.send('end')
      // A session whose commit failed holds up zebra's first configuration.
      committing.close()
      watch.close()
      if (spoilt) deaf = await until(() => isDeaf(() => frr.signOfDeafness(), rest), 'zebra is found deaf')
      frr.known.forget()
      if (!deaf) await goTo(t, named('red alone'), 'red alone again')
    }
    t.true(deaf)
    frr.known.forget()
    let doubts = 0
    frr.on('doubtful', () => doubts++)
    const commands = diff(named('two VPNs'), await frr.running(), frr.ownership)
    const refused = (await frr.apply(commands)).filter(({ outcome }) => outcome === 'refused' || outcome === 'skipped')
    t.true(refused.length > 0)
    t.is(doubts, 1)
    const back = new Promise<void>((resolve) => frr.once('connected', () => resolve()))
    managed.kill('zebra')
    await back
    t.false(await isDeaf(() => frr.signOfDeafness(), rest))
    await goTo(t, named('two VPNs'), 'two VPNs')
    await until(async () => (await frr.vrfVnis()).length === 2, 'both VNIs')
  },
)

test.serial('an agent that comes back adopts what runs', async (t) => {
  const pids = (['mgmtd', 'zebra', 'bgpd', 'bfdd'] as const).map((daemon) =>
    readFileSync(join(managed.socketsDir, `${daemon}.pid`), 'utf8'),
  )
  const { started, adopted } = await new ManagedFrr(options).start()
  t.deepEqual(started, [])
  t.is(adopted.length, 4)
  const now = adopted.map((daemon) => readFileSync(join(managed.socketsDir, `${daemon}.pid`), 'utf8'))
  t.deepEqual(now, pids)
})

test.serial('a daemon that hangs for a while is waited for: no start anew, no other connection', async (t) => {
  const { socketsDir } = managed
  const zebra = Number(readFileSync(join(socketsDir, 'zebra.pid'), 'utf8'))
  const other = await Frr.connect({ socketsDir, mode: 'managed', answerTimeoutMs: 500 })
  let went = false
  other.on('disconnected', () => {
    went = true
  })
  const caughtUp = new Promise<void>((resolve) => other.once('connected', resolve))
  const more: Vty[] = []
  process.kill(zebra, 'SIGSTOP')
  try {
    await t.throwsAsync(other.vniCount(), { code: 'busy' })
    t.is(other.late, 'zebra')
    t.true(managed.runs)
    t.deepEqual(await other.bfdPeers(), [])
    const full = async () => {
      for (;;) more.push(await Vty.open(join(socketsDir, 'zebra.vty')))
    }
    await t.throwsAsync(full(), { code: 'busy' })
    const { started } = await new ManagedFrr(options).start()
    t.deepEqual(started, [])
  } finally {
    process.kill(zebra, 'SIGCONT')
    for (const vty of more) vty.close()
  }
  await caughtUp
  await t.notThrowsAsync(other.vniCount())
  t.false(went)
  other.close()
})

test.serial('a daemon that an older agent kept, and nobody needs any more, ends with its supervisor', async (t) => {
  const { socketsDir } = managed
  const again = 'while :; do /usr/lib/frr/staticd -N lab-leaf </dev/null; sleep 0.1; done'
  const supervisor = spawn('nsenter', ['--net=/run/netns/lab-leaf', 'sh', '-c', again, 'nodeleaf-staticd'], {
    stdio: 'ignore',
  })
  writeFileSync(join(socketsDir, 'managed/staticd.supervisor.pid'), `${supervisor.pid}\n`)
  const runs = () => existsSync(`/proc/${readFileSync(join(socketsDir, 'staticd.pid'), 'utf8').trim()}/exe`)
  await until(async () => existsSync(join(socketsDir, 'staticd.pid')) && runs(), 'staticd runs')
  const { adopted } = await new ManagedFrr(options).start()
  t.is(adopted.length, 4)
  t.false(runs())
  if (supervisor.signalCode === null) await once(supervisor, 'exit')
  t.is(supervisor.signalCode, 'SIGKILL')
})

test.serial('stop leaves no process behind', async (t) => {
  frr.close()
  await managed.stop()
  t.is(execFileSync('ip', ['netns', 'pids', 'lab-leaf'], { encoding: 'utf8' }).trim(), '')
})
