import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createLog } from '../../log/log.ts'
import { createAuthority, issueServing } from './authority.ts'
import { FileCertificates } from './file-certificates.ts'

const DAY = 86_400_000
const now = Math.floor(Date.now() / 1000) * 1000

interface Written {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

async function pair(lifeMs = 30 * DAY): Promise<Written> {
  const authority = await createAuthority(now - DAY, 60 * DAY)
  const names = { dns: ['a'], addresses: [] }
  return { ca: authority.cert, ...(await issueServing(authority, names, now - DAY, lifeMs)) }
}

function place(t: ExecutionContext) {
  const path = mkdtempSync(join(tmpdir(), 'nodeleaf-files-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  const lines: string[] = []
  const published: string[] = []
  return {
    lines,
    published,
    write(files: Partial<Written>) {
      for (const [name, text] of Object.entries(files)) {
        writeFileSync(join(path, `${name}.new`), text)
        renameSync(join(path, `${name}.new`), join(path, name))
      }
    },
    open: () =>
      new FileCertificates({
        ca: join(path, 'ca'),
        cert: join(path, 'cert'),
        key: join(path, 'key'),
        publishers: [
          async (trusted) => {
            published.push(trusted)
          },
        ],
        log: createLog({ level: 'info', format: 'kv', write: (line) => lines.push(line), now: () => new Date(0) }),
        now: () => now,
        checkEveryMs: 5,
      }),
  }
}

const { signal } = new AbortController()

test('files are read again when they change, and whoever asked is told', async (t) => {
  const here = place(t)
  const [one, two] = [await pair(), await pair()]
  here.write(one)
  const certificates = here.open()
  let changes = 0
  certificates.onChange(() => changes++, signal)
  await certificates.pass(signal)
  t.deepEqual([certificates.serving.cert, certificates.trusted, changes], [one.cert, one.ca, 0])
  here.write(two)
  await certificates.pass(signal)
  t.deepEqual([certificates.serving.cert, certificates.trusted, changes], [two.cert, two.ca, 1])
  t.is(here.published.at(-1), two.ca)
})

test('run follows the files until the signal aborts', async (t) => {
  const here = place(t)
  const [one, two] = [await pair(), await pair()]
  here.write(one)
  const certificates = here.open()
  const abort = new AbortController()
  const running = certificates.run(abort.signal)
  const changed = new Promise<void>((resolve) => certificates.onChange(resolve, abort.signal))
  here.write(two)
  await changed
  abort.abort()
  await running
  t.pass()
})

test('a broken pair leaves the old one in force, says what to do once, and is taken when it is whole', async (t) => {
  const here = place(t)
  const [one, two] = [await pair(), await pair()]
  here.write(one)
  const certificates = here.open()
  here.write({ cert: two.cert })
  await certificates.pass(signal)
  await certificates.pass(signal)
  t.is(certificates.serving.cert, one.cert)
  t.is(here.lines.length, 1)
  t.regex(here.lines[0] ?? '', /level=error .*is not that of --tls-cert .*write both files of the same pair/)
  here.write({ key: two.key, ca: two.ca })
  await certificates.pass(signal)
  t.is(certificates.serving.cert, two.cert)
})

for (const [name, broken, expected] of [
  ['no certificate', { cert: 'SECRETSECRET' }, /it holds no certificate in PEM; write both files again/],
  ['no key', { key: 'SECRETSECRET' }, /it holds no private key in PEM; write both files again/],
  ['no CA', { ca: 'SECRETSECRET' }, /--tls-ca .* holds no certificates in PEM; put the certificates of the CA there/],
] as const)
  test(`${name}: refused at the start with what to do, and not quoted`, async (t) => {
    const here = place(t)
    here.write({ ...(await pair()), ...broken })
    const error = t.throws(() => here.open(), { code: 'FilesInvalid', message: expected })
    t.false(error?.message.includes('SECRETSECRET'))
  })

test('an expired certificate and a missing file are refused', async (t) => {
  const here = place(t)
  t.throws(() => here.open(), { code: 'FilesInvalid', message: /--tls-ca .* cannot be read: .*ENOENT/ })
  here.write(await pair(DAY / 2))
  t.throws(() => here.open(), { code: 'FilesInvalid', message: /has expired on .*; renew it/ })
})
