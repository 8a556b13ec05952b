import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { addAddress, encodeAddress, listAddresses, RTM_NEWADDR } from './address.ts'
import { idOf, labNetns } from './lab-netns.ts'
import { changeLink, getLink, listLinks } from './link.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import { Netlink } from './netlink.ts'
import { NetlinkError } from './netlink-error.ts'
import { createNetns, deleteNetns, netnsExists, runInNetns } from './netns.ts'

test('a dump of a thousand addresses and of 400 links is whole', (t) => {
  const lab = labNetns(t)
  const link = lab.link({ name: 'vtep0', data: { kind: 'bridge' }, up: true }).index
  const wanted = Array.from({ length: 1000 }, (_, i) => `10.${i >> 8}.${i & 255}.1/32`)
  const results = lab.netlink.batch(
    wanted.map((address) => ({
      type: RTM_NEWADDR,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      body: encodeAddress({ link, address }),
      asked: `add address ${address}`,
    })),
  )
  t.is(results.filter((result) => result instanceof NetlinkError).length, 0)
  t.deepEqual(
    listAddresses(lab.netlink, { link, family: 2 })
      .map(({ address }) => address)
      .sort(),
    wanted.sort(),
  )
  for (let i = 0; i < 400; i++) lab.link({ name: `dummy${i}`, data: { kind: 'bridge' } })
  t.is(listLinks(lab.netlink, { kind: 'bridge' }).length, 401)
})

test('in a batch each request has its own result', (t) => {
  const lab = labNetns(t)
  const link = lab.link({ name: 'vtep0', data: { kind: 'bridge' } }).index
  const add = (address: string) => ({
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: encodeAddress({ link, address }),
    asked: `add address ${address}`,
  })
  const results = lab.netlink.batch(['10.0.0.1/24', '10.0.0.1/24', '10.0.0.2/24'].map(add))
  t.deepEqual(
    results.map((result) => (result instanceof NetlinkError ? result.message : 'done')),
    ['done', results[1] instanceof NetlinkError ? results[1].message : 'refused', 'done'],
  )
  t.like(results[1], { code: 'EEXIST', asked: 'add address 10.0.0.1/24' })
})

test('a dump goes on through changes made by somebody else meanwhile', async (t) => {
  const lab = labNetns(t)
  const link = lab.link({ name: 'vtep0', data: { kind: 'bridge' }, up: true }).index
  for (let i = 0; i < 300; i++) addAddress(lab.netlink, { link, address: `10.0.${i >> 8}.${i & 255}/32` })
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
     Promise.all([import(workerData.folder + 'netlink.ts'), import(workerData.folder + 'address.ts')]).then(
       ([{ Netlink }, { addAddress, deleteAddress }]) => {
         const netlink = Netlink.open({ netns: workerData.path })
         const spec = { link: workerData.link, address: '10.9.9.9/32' }
         parentPort.postMessage('started')
         while (Atomics.load(workerData.stop, 0) === 0) { addAddress(netlink, spec); deleteAddress(netlink, spec) }
         netlink.close()
       })`,
    { eval: true, workerData: { folder: new URL('.', import.meta.url).href, path: lab.path, link, stop } },
  )
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  let interrupted = 0
  for (let i = 0; i < 200; i++) {
    try {
      const others = listAddresses(lab.netlink, { link, family: 2 }).filter(({ address }) => address !== '10.9.9.9/32')
      if (others.length !== 300) t.fail(`${others.length} addresses`)
    } catch (error) {
      // Bounded: a dump that is interrupted every time gives up with EINTR, and the next one starts afresh.
      if (!(error instanceof NetlinkError) || error.code !== 'EINTR') throw error
      interrupted++
    }
  }
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  Atomics.store(stop, 0, 1)
  t.is(await exited, 0)
  t.true(interrupted < 100, `${interrupted} of 200 dumps were interrupted 20 times`)
})

test('an answer longer than the buffer is asked for again', (t) => {
  const lab = labNetns(t)
  lab.link({ name: 'vtep0', data: { kind: 'bridge' } })
  using small = Netlink.open({ netns: lab.path, receiveBytes: 100 })
  t.is(getLink(small, 'vtep0')?.name, 'vtep0')
  using smaller = Netlink.open({ netns: lab.path, receiveBytes: 100 })
  t.deepEqual(
    listLinks(smaller).map(({ name }) => name),
    listLinks(lab.netlink).map(({ name }) => name),
  )
})

test('only what changes something counts as a write', (t) => {
  const lab = labNetns(t)
  const before = lab.netlink.writes
  listLinks(lab.netlink)
  getLink(lab.netlink, 'lo')
  listAddresses(lab.netlink)
  t.is(lab.netlink.writes, before)
  changeLink(lab.netlink, 1, { up: true })
  t.is(lab.netlink.writes, before + 1)
})

test('a namespace is made, entered, and deleted', (t) => {
  const path = '/run/netns/nl-made'
  t.false(netnsExists(path))
  createNetns(path)
  t.true(netnsExists(path))
  t.throws(() => createNetns(path), { code: 'EEXIST' })
  const inside = runInNetns(path, () => statSync('/proc/thread-self/ns/net').ino)
  t.is(inside, statSync(path).ino)
  t.not(statSync('/proc/thread-self/ns/net').ino, inside)
  deleteNetns(path)
  t.false(netnsExists(path))
  t.throws(() => deleteNetns(path), { code: 'ENOENT' })
  t.throws(() => runInNetns(path, () => 1), { code: 'ENOENT' })
  t.throws(() => Netlink.open({ netns: path }), { code: 'ENOENT' })
})

test('a file that a crash left where a namespace should be is taken over', (t) => {
  const path = '/run/netns/nl-crashed'
  writeFileSync(path, '')
  t.false(netnsExists(path))
  createNetns(path)
  t.true(netnsExists(path))
  deleteNetns(path)
})

test('the directory of a namespace becomes a shared mount', (t) => {
  labNetns(t)
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((mount) => mount.split(' ')[4] === '/run/netns')
  t.regex(line ?? '', / shared:/)
})

test('sysctls of a namespace are read and written inside it only', (t) => {
  const lab = labNetns(t)
  const file = '/proc/sys/net/ipv4/ip_forward'
  const outside = readFileSync(file, 'utf8')
  const flipped = outside === '1\n' ? '0\n' : '1\n'
  runInNetns(lab.path, () => writeFileSync(file, flipped))
  t.is(
    runInNetns(lab.path, () => readFileSync(file, 'utf8')),
    flipped,
  )
  t.is(readFileSync(file, 'utf8'), outside)
})

test('what is thrown inside a namespace comes out, and the thread is home again', (t) => {
  const lab = labNetns(t)
  const home = statSync('/proc/thread-self/ns/net').ino
  t.throws(
    () =>
      runInNetns(lab.path, () => {
        throw new RangeError('inside')
      }),
    { instanceOf: RangeError, message: 'inside' },
  )
  t.is(statSync('/proc/thread-self/ns/net').ino, home)
  t.throws(() => runInNetns(lab.path, async () => 1), { instanceOf: TypeError })
})

test('a namespace without a link into it has no ID here', (t) => {
  t.is(idOf(labNetns(t), labNetns(t)), undefined)
})

test('a socket that is closed answers no more', (t) => {
  const lab = labNetns(t)
  const other = Netlink.open({ netns: lab.path })
  other.close()
  other.close()
  t.throws(() => listLinks(other), { instanceOf: NetlinkError })
})
