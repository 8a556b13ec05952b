import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { withCaBundle, fileTrust } from './trust.ts'

const bundle = Buffer.from('PEM').toString('base64')
const configuration = (...bundles: (string | undefined)[]) => ({
  metadata: { name: 'nodeleaf' },
  webhooks: bundles.map((caBundle, i) => ({
    name: `w${i}`,
    clientConfig: { service: {}, ...(caBundle === undefined ? {} : { caBundle }) },
  })),
})

test('every webhook gets the caBundle, and the rest of the configuration stays', (t) => {
  t.deepEqual(withCaBundle(configuration(bundle, undefined, 'b2xk'), 'PEM'), configuration(bundle, bundle, bundle))
  t.is(withCaBundle(configuration(bundle, bundle), 'PEM'), undefined)
})

test('there is nothing to do where there is no webhook', (t) => {
  t.is(withCaBundle({ metadata: { name: 'nodeleaf' } }, 'PEM'), undefined)
})

test("cert-manager's injector has the say where it is asked for", (t) => {
  const annotations = { 'cert-manager.io/inject-ca-from': 'nodeleaf-system/nodeleaf-controller' }
  const injected = { ...configuration(undefined), metadata: { name: 'nodeleaf', annotations } }
  t.is(withCaBundle(injected, 'PEM'), undefined)
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
