import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { issueAgentCertificate } from './agent-certificate.ts'
import { createAuthority, signed } from './authority.ts'
import { paired } from './authority-store.ts'
import { FileStore } from './file-store.ts'

const DAY = 86_400_000
const now = Math.floor(Date.now() / 1000) * 1000

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'nodeleaf-store-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

test('what is written is read again, by its owner alone', async (t) => {
  const path = directory(t)
  const store = new FileStore(path)
  t.is(await store.read(), undefined)
  const [a, b] = [await createAuthority(now, DAY), await createAuthority(now, DAY)]
  t.true(await store.write([a], undefined))
  const first = await store.read()
  t.deepEqual(first?.authorities, [a])
  t.is(statSync(join(path, 'ca.json')).mode & 0o777, 0o600)
  t.true(await store.write([a, b], first?.version))
  t.deepEqual((await store.read())?.authorities, [a, b])
  t.false(await store.write([b], first?.version), 'it has changed since')
  t.false(await store.write([b], undefined), 'there is one already')
  t.deepEqual(readdirSync(path), ['ca.json'])
})

for (const [name, text] of Object.entries({
  'no JSON': '{"authorities": [{"key": "SECRETSECRET',
  'other content': '{"authorities": "SECRETSECRET"}',
  'keys that are none': '{"authorities": [{"cert": "a", "key": "SECRETSECRET"}]}',
}))
  test(`${name} is left alone, and named without being quoted`, async (t) => {
    const path = directory(t)
    writeFileSync(join(path, 'ca.json'), text)
    const error = await t.throwsAsync(new FileStore(path).read(), {
      code: 'StoreInvalid',
      message: /ca\.json cannot be used/,
    })
    t.false(error?.message.includes('SECRET'))
    await t.throwsAsync(
      issueAgentCertificate({ node: 'a', stateDirectory: path, outDirectory: join(path, 'out'), nowMs: now }),
      { code: 'StoreInvalid' },
    )
  })

test('an agent certificate comes from the CA of the state directory, which is made when there is none', async (t) => {
  const path = directory(t)
  const stateDirectory = join(path, 'state')
  const issue = (node: string, lifeMs?: number) =>
    issueAgentCertificate({
      node,
      stateDirectory,
      outDirectory: join(path, node),
      nowMs: now,
      ...(lifeMs === undefined ? {} : { lifeMs }),
    })
  const [one, two] = [await issue('router1'), await issue('router2', 7 * DAY)]
  const read = (file: string): string => readFileSync(file, 'utf8')
  t.is(read(one.ca), read(two.ca))
  t.true(signed({ cert: read(one.ca) }, read(one.cert)))
  t.true(paired(read(one.cert), read(one.key)))
  t.is(new X509Certificate(read(two.cert)).subjectAltName, 'URI:nodeleaf://node/router2')
  t.is(one.expires.getTime(), now + 365 * DAY)
  t.is(two.expires.getTime(), now + 7 * DAY)
  t.is(statSync(one.key).mode & 0o777, 0o600)
  const again = await issue('router1')
  t.true(paired(read(again.cert), read(again.key)))
})

test('programs that start together in one state directory have one CA', async (t) => {
  const path = directory(t)
  const stateDirectory = join(path, 'state')
  const issue = (node: string) =>
    issueAgentCertificate({ node, stateDirectory, outDirectory: join(path, node), nowMs: now })
  const done = await Promise.allSettled([issue('a'), issue('b'), issue('c')])
  const cas = done.flatMap((each) => (each.status === 'fulfilled' ? readFileSync(each.value.ca, 'utf8') : []))
  t.is(new Set(cas).size, 1)
  for (const each of done) if (each.status === 'rejected') t.is((each.reason as { code?: string }).code, 'StoreBusy')
})
