import test from 'ava'
import { Registry } from 'prom-client'
import { describeCertificates } from '../metrics.ts'
import { createAuthority, issueServing } from './authority.ts'
import { expiryOf } from './expiry.ts'

const HOUR = 3_600_000
const now = Math.floor(Date.now() / 1000) * 1000

test('the serving certificate has its end, the CAs that of the last of them', async (t) => {
  const [old, next] = [await createAuthority(now, 2 * HOUR), await createAuthority(now, 9 * HOUR)]
  const serving = await issueServing(old, { dns: ['x'], addresses: [] }, now, HOUR)
  t.deepEqual(expiryOf({ trusted: next.cert + old.cert, serving }), { servingMs: now + HOUR, caMs: now + 9 * HOUR })
})

test('the metric follows a certificate that changes', async (t) => {
  const authority = await createAuthority(now, 9 * HOUR)
  const names = { dns: ['x'], addresses: [] }
  const certificates = { trusted: authority.cert, serving: await issueServing(authority, names, now, HOUR) }
  const registry = new Registry()
  describeCertificates(registry, certificates)
  const value = async (): Promise<string | undefined> =>
    /^nodeleaf_certificate_expiry_timestamp_seconds\{certificate="serving"\} (\d+)$/m.exec(
      await registry.metrics(),
    )?.[1]
  t.is(await value(), String((now + HOUR) / 1000))
  certificates.serving = await issueServing(authority, names, now, 2 * HOUR)
  t.is(await value(), String((now + 2 * HOUR) / 1000))
})

test('what cannot be read has no end', (t) => {
  t.deepEqual(expiryOf({ trusted: 'x', serving: { cert: 'x', key: '' } }), { servingMs: undefined, caMs: undefined })
})
