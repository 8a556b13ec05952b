import test from 'ava'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { labNetns } from './lab-netns.ts'
import { establishedTcp, openSockDiag } from './tcp-established.ts'

/** Connects to itself; for each line that it reads it resets the connection and makes another; says when there is one. */
const program = `
  const { createServer, connect } = require('node:net')
  const server = createServer((peer) => { peer.on('error', () => {}); console.log('there') })
  let client
  const open = () => { client = connect(server.address().port, process.argv[1]).on('error', () => {}) }
  server.listen(0, process.argv[1], open)
  process.stdin.on('data', () => { client.once('close', open); client.resetAndDestroy() })
`

for (const host of ['127.0.0.1', '::1']) {
  test(`connections of ${host} are told as long as they are there, each by another text`, async (t) => {
    const { path } = labNetns(t)
    using netlink = openSockDiag(path)
    t.deepEqual(establishedTcp(netlink), [])
    const child = spawn('nsenter', [`--net=${path}`, process.execPath, '-e', program, host], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill())
    await once(child.stdout, 'data')
    const before = establishedTcp(netlink)
    t.is(before.length, 2, 'both ends are here')
    t.is(new Set(before).size, 2)
    child.stdin.write('again\n')
    await once(child.stdout, 'data')
    const after = establishedTcp(netlink)
    t.is(after.length, 2)
    t.deepEqual(
      after.filter((each) => before.includes(each)),
      [],
    )
  })
}
