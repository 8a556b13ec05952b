import test from 'ava'
import { mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveHealth, serveSocket, ServerError, socketPath, type Served } from './server.ts'

const runDir = (): string => join(mkdtempSync(join(tmpdir(), 'nodeleaf-run-')), 'run')

function served(options: { ready?: boolean } = {}): Served & { stopped: boolean } {
  const state = { stopped: false }
  return {
    status: () => Promise.resolve({ schema: 'x' } as never),
    health: () => ({ ready: options.ready ?? true, message: options.ready === false ? 'FRR is away' : 'ready' }),
    metrics: () => Promise.resolve('nodeleaf_x 1\n'),
    reconcile: () => Promise.resolve(undefined),
    stop: () => {
      state.stopped = true
    },
    get stopped() {
      return state.stopped
    },
  }
}

interface Where {
  readonly socketPath?: string
  readonly port?: number
}

function ask(where: Where, method: string, path: string): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  request({ ...where, method, path }, (response) => {
    let body = ''
    response.setEncoding('utf8').on('data', (part: string) => {
      body += part
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
  })
    .on('error', reject)
    .end()
  return promise
}

test("the socket is its owner's alone and answers with the status", async (t) => {
  const dir = runDir()
  const server = await serveSocket(dir, served())
  t.is(statSync(socketPath(dir)).mode & 0o777, 0o600)
  t.deepEqual(await ask({ socketPath: socketPath(dir) }, 'GET', '/status'), { status: 200, body: '{"schema":"x"}\n' })
  server.close()
})

test('a second agent on the same socket is refused, a stale socket is not in the way', async (t) => {
  const dir = runDir()
  const server = await serveSocket(dir, served())
  await t.throwsAsync(serveSocket(dir, served()), { instanceOf: ServerError, code: 'RUNNING' })
  await new Promise((resolve) => server.close(resolve))
  writeFileSync(socketPath(dir), '')
  const again = await serveSocket(dir, served())
  t.is((await ask({ socketPath: socketPath(dir) }, 'GET', '/healthz')).status, 200)
  again.close()
})

test('stop and reconcile are asked for on the socket', async (t) => {
  const dir = runDir()
  const agent = served()
  const server = await serveSocket(dir, agent)
  t.deepEqual(await ask({ socketPath: socketPath(dir) }, 'POST', '/reconcile'), { status: 200, body: '{}\n' })
  t.is((await ask({ socketPath: socketPath(dir) }, 'POST', '/stop')).status, 202)
  t.true(agent.stopped)
  server.close()
})

test('the TCP listener tells health and metrics, and nothing else', async (t) => {
  const server = await serveHealth({ address: '127.0.0.1', port: 0 }, served({ ready: false }))
  const { port } = server.address() as AddressInfo
  t.is((await ask({ port }, 'GET', '/healthz')).status, 200)
  t.deepEqual(await ask({ port }, 'GET', '/readyz'), { status: 503, body: 'FRR is away\n' })
  t.deepEqual(await ask({ port }, 'GET', '/metrics'), { status: 200, body: 'nodeleaf_x 1\n' })
  for (const [method, path] of [
    ['GET', '/status'],
    ['POST', '/stop'],
    ['POST', '/reconcile'],
  ] as const) {
    t.is((await ask({ port }, method, path)).status, 404)
  }
  server.close()
})
