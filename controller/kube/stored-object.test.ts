import test from 'ava'
import { Api } from './api.ts'
import { json, loopbackServer, secret, status } from './loopback-server.ts'
import type { KubeObject } from './object.ts'
import { updateObject } from './stored-object.ts'

interface Numbers extends KubeObject {
  readonly data: Readonly<Record<string, string>>
}

const at = { type: { ...secret, plural: 'configmaps', kind: 'ConfigMap' }, namespace: 'ns', name: 'numbers' }

/** One stored object with optimistic concurrency; `meanwhile` is what somebody else does before a write. */
async function storing(
  stored: Numbers | undefined,
  meanwhile: ((now: Numbers | undefined) => Numbers | undefined)[] = [],
) {
  let version = 1
  const box = { stored }
  const server = await loopbackServer((received, response) => {
    const found = (): void =>
      box.stored === undefined ? status(response, 404, 'NotFound') : json(response, 200, box.stored)
    if (received.method === 'GET') return found()
    const other = meanwhile.shift()
    if (other !== undefined) box.stored = other(box.stored)
    const body = JSON.parse(received.body) as Numbers
    if (received.method === 'POST' && box.stored !== undefined) return status(response, 409, 'AlreadyExists')
    if (received.method === 'PUT' && box.stored === undefined) return status(response, 404, 'NotFound')
    if (received.method === 'PUT' && body.metadata.resourceVersion !== box.stored?.metadata.resourceVersion) {
      return status(response, 409, 'Conflict')
    }
    box.stored = { ...body, metadata: { ...body.metadata, resourceVersion: String((version += 1)) } }
    found()
  })
  const api = new Api({ cluster: server.cluster, userAgent: 'test' })
  const end = async (): Promise<void> => {
    api.close()
    await server.close()
  }
  return { box, api, server, end }
}

const numbers = (data: Record<string, string>, resourceVersion = '1'): Numbers => ({
  metadata: { name: 'numbers', namespace: 'ns', resourceVersion },
  data,
})
const withB = (now: Numbers | undefined): Numbers => ({ ...(now ?? numbers({})), data: { ...now?.data, b: '2' } })

test('an object that is not there is made', async (t) => {
  const { api, server, end } = await storing(undefined)
  t.deepEqual((await updateObject<Numbers>(api, at, withB))?.data, { b: '2' })
  t.deepEqual(
    server.received.map(({ method }) => method),
    ['GET', 'POST'],
  )
  await end()
})

test('nobody’s write is lost', async (t) => {
  const { box, api, end } = await storing(numbers({ a: '1' }), [
    () => numbers({ a: '1', c: '3' }, '50'),
    () => undefined,
    () => numbers({ d: '4' }, '60'),
  ])
  t.deepEqual((await updateObject<Numbers>(api, at, withB))?.data, { d: '4', b: '2' })
  t.deepEqual(box.stored?.data, { d: '4', b: '2' })
  await end()
})

test('when all is well nothing is written', async (t) => {
  const { api, server, end } = await storing(numbers({ a: '1' }))
  t.deepEqual((await updateObject<Numbers>(api, at, () => undefined))?.data, { a: '1' })
  t.is(server.received.length, 1)
  await end()
})

test('who is always too late is told so', async (t) => {
  let other = 100
  const faster = Array.from({ length: 20 }, () => () => numbers({ a: '1' }, String((other += 1))))
  const { api, end } = await storing(numbers({ a: '1' }), faster)
  await t.throwsAsync(updateObject<Numbers>(api, at, withB), { message: /cannot update configmaps ns\/numbers/ })
  await end()
})
