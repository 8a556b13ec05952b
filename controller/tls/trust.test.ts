import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { caBundlePatch, fileTrust } from './trust.ts'

const bundle = Buffer.from('PEM').toString('base64')
const configuration = (...bundles: (string | undefined)[]) => ({
  metadata: { name: 'nodeleaf' },
  webhooks: bundles.map((caBundle, i) => ({
    name: `w${i}`,
    clientConfig: { service: {}, ...(caBundle === undefined ? {} : { caBundle }) },
  })),
})

test('only webhooks with another caBundle are patched, each guarded by its name', (t) => {
  t.deepEqual(caBundlePatch(configuration(bundle, undefined, 'b2xk'), 'PEM'), [
    { op: 'test', path: '/webhooks/1/name', value: 'w1' },
    { op: 'add', path: '/webhooks/1/clientConfig/caBundle', value: bundle },
    { op: 'test', path: '/webhooks/2/name', value: 'w2' },
    { op: 'add', path: '/webhooks/2/clientConfig/caBundle', value: bundle },
  ])
  t.deepEqual(caBundlePatch(configuration(bundle), 'PEM'), [])
})

test('there is nothing to patch where there is no configuration, or no webhook in it', (t) => {
  t.deepEqual(caBundlePatch(undefined, 'PEM'), [])
  t.deepEqual(caBundlePatch({ metadata: { name: 'nodeleaf' } }, 'PEM'), [])
})

test("cert-manager's injector has the say where it is asked for", (t) => {
  const annotations = { 'cert-manager.io/inject-ca-from': 'nodeleaf-system/nodeleaf-controller' }
  const injected = { ...configuration(undefined), metadata: { name: 'nodeleaf', annotations } }
  t.deepEqual(caBundlePatch(injected, 'PEM'), [])
})

test('a trust file is written when it differs, for everyone to read', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'nodeleaf-trust-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'ca.crt')
  const publish = fileTrust(path)
  const { signal } = new AbortController()
  await publish('one\n', signal)
  const { ino, mode } = statSync(path)
  t.is(mode & 0o777, 0o644)
  await publish('one\n', signal)
  t.is(statSync(path).ino, ino)
  await publish('two\n', signal)
  t.is(readFileSync(path, 'utf8'), 'two\n')
})
