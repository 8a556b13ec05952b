import { spawnSync } from 'node:child_process'
import test from 'ava'
import { addAddress, deleteAddress } from './address.ts'
import { subscribe } from './events.ts'
import type { EventGroup, NetlinkEvent } from './events.ts'
import { addFdb } from './fdb.ts'
import { labNetns } from './lab-netns.ts'
import type { Lab } from './lab-netns.ts'
import { changeLink, deleteLink } from './link.ts'
import { addNeighbour } from './neighbour.ts'
import { addRoute } from './route.ts'
import { addRule } from './rule.ts'

const all: EventGroup[] = ['link', 'address', 'route', 'rule', 'neighbour']

/** Does `act` and gives the events up to the first that satisfies `last`. */
async function heard(lab: Lab, act: () => void, last: (event: NetlinkEvent) => boolean): Promise<NetlinkEvent[]> {
  const events: NetlinkEvent[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  using _ = subscribe({ netns: lab.path, groups: all }, (more) => {
    events.push(...more)
    if (more.some(last)) resolve()
  })
  act()
  await promise
  return events
}

test('a link that is made, changed and deleted is heard of', async (t) => {
  const lab = labNetns(t)
  const events = await heard(
    lab,
    () => deleteLink(lab.netlink, lab.link({ name: 'vtep0', data: { kind: 'bridge' }, alias: 'nodeleaf:x' }).index),
    (event) => event.type === 'link' && event.change === 'del',
  )
  const links = events.filter((event) => event.type === 'link')
  t.like(links[0], { change: 'new', object: { name: 'vtep0', kind: 'bridge' } })
  t.true(links.some((event) => event.object.alias === 'nodeleaf:x'))
})

test('addresses, routes, rules, neighbours and forwarding entries are heard of', async (t) => {
  const lab = labNetns(t)
  const bridge = lab.link({ name: 'br100', data: { kind: 'bridge' }, up: true })
  const link = bridge.index
  const port = lab.link({ name: 'pe', data: { kind: 'veth' }, peer: { name: 'host' }, master: link, up: true }).index
  const address = '10.0.0.1/24'
  const events = await heard(
    lab,
    () => {
      addAddress(lab.netlink, { link, address })
      addRoute(lab.netlink, { destination: '10.9.0.0/16', table: 10001, nexthops: [{ link }] })
      addRule(lab.netlink, { family: 2, priority: 77, table: 10001 })
      addNeighbour(lab.netlink, { link, address: '10.0.0.2', mac: '02:00:00:00:00:02' })
      addFdb(lab.netlink, { link: port, mac: '02:00:00:00:00:03', table: 'master', state: 'static' })
      changeLink(lab.netlink, port, { bridgePort: { isolated: true } })
      deleteAddress(lab.netlink, { link, address })
    },
    (event) => event.type === 'address' && event.change === 'del',
  )
  const has = (type: NetlinkEvent['type'], object: object) =>
    events.some(
      (event) =>
        'object' in event &&
        event.type === type &&
        Object.entries(object).every(([k, v]) => (event.object as never)[k] === v),
    )
  t.true(has('address', { address, link }))
  t.true(has('route', { destination: '10.9.0.0/16', table: 10001 }))
  t.true(has('rule', { priority: 77 }))
  t.true(has('neighbour', { address: '10.0.0.2', mac: '02:00:00:00:00:02' }))
  t.true(has('fdb', { link: port, mac: '02:00:00:00:00:03' }))
  t.true(events.some((event) => event.type === 'bridgePort' && event.link === port))
})

test('an overrun becomes a resync, and what comes after it is heard', async (t) => {
  const lab = labNetns(t)
  const link = lab.link({ name: 'vtep0', data: { kind: 'bridge' } }).index
  const events: NetlinkEvent[] = []
  const resync = Promise.withResolvers<void>()
  const after = Promise.withResolvers<void>()
  using _ = subscribe({ netns: lab.path, groups: ['address'], receiveBuffer: 4096 }, (more) => {
    events.push(...more)
    if (more.some(({ type }) => type === 'resync')) resync.resolve()
    if (more.some((event) => event.type === 'address' && event.object.address === '10.99.99.99/32')) after.resolve()
  })
  // The event loop does not turn meanwhile, so nothing is read.
  for (let i = 0; i < 2000; i++) addAddress(lab.netlink, { link, address: `10.0.${i >> 8}.${i & 255}/32` })
  await resync.promise
  t.true(events.length < 2000)
  addAddress(lab.netlink, { link, address: '10.99.99.99/32' })
  await after.promise
  t.pass()
})

test('a subscription ends with its signal, in the middle of its own call too, and is not called again', async (t) => {
  const lab = labNetns(t)
  const controller = new AbortController()
  const { promise, resolve } = Promise.withResolvers<void>()
  let calls = 0
  const subscription = subscribe({ netns: lab.path, groups: ['link'], signal: controller.signal }, () => {
    calls++
    controller.abort()
    resolve()
  })
  lab.link({ name: 'one', data: { kind: 'bridge' } })
  await promise
  lab.link({ name: 'two', data: { kind: 'bridge' } })
  subscription[Symbol.dispose]()
  // A second subscription has heard of it when the first could have.
  await heard(
    lab,
    () => lab.link({ name: 'three', data: { kind: 'bridge' } }),
    (event) => event.type === 'link' && event.object.name === 'three',
  )
  t.is(calls, 1)
  t.throws(() => subscribe({ groups: ['link'], signal: controller.signal }, () => {}), { name: 'AbortError' })
})

const url = new URL('./events.ts', import.meta.url).href

test('a subscription that is closed lets the process end', (t) => {
  const program = `const { subscribe } = await import(${JSON.stringify(url)})
    const subscription = subscribe({ groups: ['link'] }, () => {})
    setImmediate(() => subscription[Symbol.dispose]())`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 })
  t.is(status, 0, stderr.toString())
})

test('an exit, and a worker that is terminated, with open subscriptions are clean', (t) => {
  const program = `const { Worker } = await import('node:worker_threads')
    const { subscribe } = await import(${JSON.stringify(url)})
    subscribe({ groups: ['link'] }, () => {})
    const worker = new Worker(\`
      const { parentPort } = await import('node:worker_threads')
      import(${JSON.stringify(url)}).then(({ subscribe }) => {
        subscribe({ groups: ['link'] }, () => {})
        parentPort.postMessage(1)
      })\`, { eval: true })
    worker.on('message', async () => { await worker.terminate(); process.exit(7) })`
  const { status, signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 20_000,
  })
  t.is(signal, null, stderr.toString())
  t.is(status, 7, stderr.toString())
})

test('what a listener throws is an uncaught exception', (t) => {
  const lab = labNetns(t)
  const program = `const { subscribe } = await import(${JSON.stringify(url)})
    const { Netlink } = await import(${JSON.stringify(new URL('./netlink.ts', import.meta.url).href)})
    const { changeLink } = await import(${JSON.stringify(new URL('./link.ts', import.meta.url).href)})
    process.on('uncaughtException', (error) => process.exit(error.message === 'from the listener' ? 9 : 1))
    const netns = ${JSON.stringify(lab.path)}
    subscribe({ groups: ['link'], netns }, () => { throw new Error('from the listener') })
    changeLink(Netlink.open({ netns }), 1, { up: false })`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 })
  t.is(status, 9, stderr.toString())
})
