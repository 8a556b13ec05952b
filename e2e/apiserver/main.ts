/**
 * The API server as a program:
 *
 *     node e2e/apiserver/main.ts --listen ADDRESS:PORT --kubeconfig-out FILE [--crds DIR] [--state FILE] [--http]
 *       [--control PATH|ADDRESS:PORT] [--name NAME]... [--rbac] [--no-garbage-collection] [--bookmark-ms MS]
 *       [--history CHANGES]
 *
 * It says `listening URL` when it is ready and ends with SIGTERM or SIGINT. With --state it comes back as it was, also after
 * SIGKILL: the same objects, resourceVersions that go on, the same keys, so that tokens and kubeconfigs stay good.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { serveControl } from './faults/control.ts'
import { startApiServer } from './server.ts'

const { values } = parseArgs({
  options: {
    listen: { type: 'string', default: '127.0.0.1:0' },
    'kubeconfig-out': { type: 'string' },
    crds: { type: 'string' },
    state: { type: 'string' },
    control: { type: 'string' },
    name: { type: 'string', multiple: true, default: [] },
    http: { type: 'boolean', default: false },
    rbac: { type: 'boolean', default: false },
    'no-garbage-collection': { type: 'boolean', default: false },
    'bookmark-ms': { type: 'string', default: '60000' },
    history: { type: 'string', default: '20000' },
  },
})
const [, address = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(values.listen) ?? []
if (port === '') throw new Error(`--listen ${values.listen}: ADDRESS:PORT is needed, such as 127.0.0.1:6443`)

const server = await startApiServer({
  address,
  port: Number(port),
  plain: values.http,
  names: values.name,
  rbac: values.rbac,
  garbageCollection: !values['no-garbage-collection'],
  bookmarkMs: Number(values['bookmark-ms']),
  history: Number(values.history),
  ...(values.crds === undefined ? {} : { crds: values.crds }),
  ...(values.state === undefined ? {} : { state: values.state }),
})
const control = values.control === undefined ? undefined : await serveControl(server, values.control)
if (values['kubeconfig-out'] !== undefined)
  writeFileSync(values['kubeconfig-out'], server.kubeconfig(), { mode: 0o600 })
process.stdout.write(`listening ${server.url}\n`)

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => {
    control?.close()
    void server.close()
  })
