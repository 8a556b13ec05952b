import test from 'ava'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { labNetns } from './lab-netns.ts'
import { runInNetns } from './netns.ts'
import { establishedTcp } from './tcp-established.ts'

for (const host of ['127.0.0.1', '::1']) {
  test(`connections of ${host} are told as long as they are there, each by another text`, async (t) => {
    const { path } = labNetns(t)
    t.deepEqual(establishedTcp(path), [])
    const server = createServer()
    runInNetns(path, () => server.listen(0, host))
    await once(server, 'listening')
    t.teardown(() => server.close())
    t.deepEqual(establishedTcp(path), [])
    const { port } = server.address() as AddressInfo
    const open = async () => {
      const accepted = once(server, 'connection')
      const client = runInNetns(path, () => connect(port, host))
      const [peer] = await accepted
      return { client, peer }
    }
    const first = await open()
    const one = establishedTcp(path)
    t.is(one.length, 2, 'both ends are here')
    t.is(new Set(one).size, 2)
    first.client.resetAndDestroy()
    await once(first.peer, 'close')
    const second = await open()
    const other = establishedTcp(path)
    t.is(other.filter((each) => one.includes(each)).length, 0)
    second.client.destroy()
    second.peer.destroy()
  })
}
