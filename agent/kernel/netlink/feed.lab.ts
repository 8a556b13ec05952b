import { spawnSync } from 'node:child_process'
import test from 'ava'
import { addAddress, decodeAddress, deleteAddress, RTM_DELADDR, RTM_NEWADDR } from './address.ts'
import { addBridgeVlans } from './bridge-vlan.ts'
import { Feed, type EventGroup } from './feed.ts'
import { addFdb } from './fdb.ts'
import { labNetns } from './lab-netns.ts'
import type { Lab } from './lab-netns.ts'
import { changeLink, deleteLink } from './link.ts'
import { decodeLink, nameIn, RTM_DELLINK, RTM_NEWLINK } from './link-message.ts'
import type { Message } from './message.ts'
import { addNeighbour, RTM_NEWNEIGH } from './neighbour.ts'
import { addRoute } from './route.ts'
import { RTM_NEWROUTE } from './route-message.ts'
import { addRule, RTM_NEWRULE } from './rule.ts'
import { addVnis, deleteVnis, RTM_DELTUNNEL } from './vni-filter.ts'

const all: EventGroup[] = ['link', 'address', 'route', 'rule', 'neighbour', 'netconf', 'bridgeVlan', 'tunnel']

function open(lab: Lab, groups: readonly EventGroup[] = all): Feed {
  return Feed.open({ netns: lab.path, groups })
}

/** What is queued now. */
function queued(feed: Feed): Message[] {
  const found: Message[] = []
  feed.read((message) => found.push({ ...message, body: Buffer.from(message.body) }))
  return found
}

test('what a request changes can be read as soon as it returns', (t) => {
  const lab = labNetns(t)
  using feed = open(lab)
  const { index } = lab.link({ name: 'vtep0', data: { kind: 'bridge' }, alias: 'nodeleaf:x', up: true })
  const links = queued(feed).filter(({ type, body }) => type === RTM_NEWLINK && body[0] === 0)
  t.like(decodeLink(links[0]!.body), { name: 'vtep0', kind: 'bridge' })
  t.is(decodeLink(links.at(-1)!.body).alias, 'nodeleaf:x')
  t.true(links.every(({ body }) => nameIn(body) === 'vtep0'))
  deleteLink(lab.netlink, index)
  t.true(queued(feed).some(({ type, body }) => type === RTM_DELLINK && nameIn(body) === 'vtep0'))
  t.deepEqual(queued(feed), [])
})

test('addresses, routes, rules, neighbours and forwarding entries are heard of', (t) => {
  const lab = labNetns(t)
  const bridge = lab.link({ name: 'br100', data: { kind: 'bridge' }, up: true })
  const link = bridge.index
  const port = lab.link({ name: 'pe', data: { kind: 'veth' }, peer: { name: 'host' }, master: link, up: true }).index
  const address = '10.0.0.1/24'
  using feed = open(lab)
  const heard = (): number[] => [...new Set(queued(feed).map(({ type }) => type))]
  addAddress(lab.netlink, { link, address })
  t.true(heard().includes(RTM_NEWADDR))
  addRoute(lab.netlink, { destination: '10.9.0.0/16', table: 10001, nexthops: [{ link }] })
  t.true(heard().includes(RTM_NEWROUTE))
  addRule(lab.netlink, { family: 2, priority: 77, table: 10001 })
  t.true(heard().includes(RTM_NEWRULE))
  addNeighbour(lab.netlink, { link, address: '10.0.0.2', mac: '02:00:00:00:00:02' })
  t.true(heard().includes(RTM_NEWNEIGH))
  addFdb(lab.netlink, { link: port, mac: '02:00:00:00:00:03', table: 'master', state: 'static' })
  t.true(heard().includes(RTM_NEWNEIGH))
  changeLink(lab.netlink, port, { bridgePort: { isolated: true } })
  t.true(heard().includes(RTM_NEWLINK))
  deleteAddress(lab.netlink, { link, address })
  t.true(heard().includes(RTM_DELADDR))
})

test('VLANs come with the message of their port; of VNI filters every kernel tells what goes', (t) => {
  const lab = labNetns(t)
  const master = lab.link({ name: 'br', data: { kind: 'bridge', vlanFiltering: true, vlanDefaultPvid: 0 } }).index
  const data = { kind: 'vxlan', external: true, vniFilter: true, local: '100.65.0.1', port: 4789 } as const
  const vxlan = lab.link({ name: 'vx', data, master, bridgePort: { vlanTunnel: true } }).index
  using feed = open(lab)
  addBridgeVlans(lab.netlink, vxlan, { vlans: [{ vid: 2, last: 9 }], tunnels: [{ vid: 2, last: 9, vni: 100 }] })
  t.true(queued(feed).some(({ type, body }) => type === RTM_NEWLINK && body[0] === 7 && body.readInt32LE(4) === vxlan))
  // What comes only newer ones tell: vxlan_vni_add was silent in 6.12.
  addVnis(lab.netlink, vxlan, [{ vni: 100, last: 109 }])
  deleteVnis(lab.netlink, vxlan, [{ vni: 100, last: 101 }])
  t.is(queued(feed).filter(({ type }) => type === RTM_DELTUNNEL).length, 2)
})

test('an overrun is told, and what comes after it is heard', (t) => {
  const lab = labNetns(t)
  const link = lab.link({ name: 'vtep0', data: { kind: 'bridge' } }).index
  using feed = Feed.open({ netns: lab.path, groups: ['address'], receiveBuffer: 4096 })
  for (let i = 0; i < 2000; i++) addAddress(lab.netlink, { link, address: `10.0.${i >> 8}.${i & 255}/32` })
  let count = 0
  t.true(feed.read(() => void count++))
  t.true(count < 2000)
  addAddress(lab.netlink, { link, address: '10.99.99.99/32' })
  const after = queued(feed).filter(({ type }) => type === RTM_NEWADDR)
  t.deepEqual(
    after.map(({ body }) => decodeAddress(body).address),
    ['10.99.99.99/32'],
  )
})

test('no more is read at once than asked for', (t) => {
  const lab = labNetns(t)
  const link = lab.link({ name: 'vtep0', data: { kind: 'bridge' } }).index
  using feed = open(lab, ['address'])
  for (let i = 0; i < 5; i++) addAddress(lab.netlink, { link, address: `10.0.0.${i}/32` })
  let count = 0
  t.false(feed.read(() => void count++, 3))
  t.is(count, 3)
  t.false(feed.read(() => void count++, 3))
  t.is(count, 5)
})

test('a watch ends with its feed, in the middle of its own call too, and is not called again', async (t) => {
  const lab = labNetns(t)
  const feed = open(lab, ['link'])
  const { promise, resolve } = Promise.withResolvers<void>()
  let calls = 0
  feed.watch(() => {
    calls++
    feed.close()
    resolve()
  })
  lab.link({ name: 'one', data: { kind: 'bridge' } })
  await promise
  lab.link({ name: 'two', data: { kind: 'bridge' } })
  feed.close()
  // A second watch has been called when the first could have been.
  using other = open(lab, ['link'])
  const called = Promise.withResolvers<void>()
  other.watch(called.resolve)
  lab.link({ name: 'three', data: { kind: 'bridge' } })
  await called.promise
  t.is(calls, 1)
  t.false(feed.read(() => {}))
})

const url = new URL('./feed.ts', import.meta.url).href

test('a feed that is closed, or not watched any more, lets the process end', (t) => {
  for (const end of ['close', 'unwatch']) {
    const program = `const { Feed } = await import(${JSON.stringify(url)})
    const feed = Feed.open({ groups: ['link'] })
    feed.watch(() => {})
    setImmediate(() => feed.${end}())`
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 100_000 })
    t.is(status, 0, stderr.toString())
  }
})

test('an exit, and a worker that is terminated, with open watches are clean', (t) => {
  const program = `const { Worker } = await import('node:worker_threads')
    const { Feed } = await import(${JSON.stringify(url)})
    Feed.open({ groups: ['link'] }).watch(() => {})
    const worker = new Worker(\`
      const { parentPort } = await import('node:worker_threads')
      import(${JSON.stringify(url)}).then(({ Feed }) => {
        Feed.open({ groups: ['link'] }).watch(() => {})
        parentPort.postMessage(1)
      })\`, { eval: true })
    worker.on('message', async () => { await worker.terminate(); process.exit(7) })`
  const { status, signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 100_000,
  })
  t.is(signal, null, stderr.toString())
  t.is(status, 7, stderr.toString())
})

test('what a watch throws is an uncaught exception', (t) => {
  const lab = labNetns(t)
  const program = `const { Feed } = await import(${JSON.stringify(url)})
    const { Netlink } = await import(${JSON.stringify(new URL('./netlink.ts', import.meta.url).href)})
    const { changeLink } = await import(${JSON.stringify(new URL('./link.ts', import.meta.url).href)})
    process.on('uncaughtException', (error) => process.exit(error.message === 'from the watch' ? 9 : 1))
    const netns = ${JSON.stringify(lab.path)}
    Feed.open({ groups: ['link'], netns }).watch(() => { throw new Error('from the watch') })
    changeLink(Netlink.open({ netns }), 1, { up: false })`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 100_000 })
  t.is(status, 9, stderr.toString())
})
