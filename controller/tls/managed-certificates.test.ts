import { X509Certificate } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { createLog } from '../../log/log.ts'
import { signed, validityOf } from './authority.ts'
import type { KubeObject } from '../kube/object.ts'
import { FakeObjects } from './fake-objects.ts'
import { ManagedCertificates, type ManagedCertificatesOptions } from './managed-certificates.ts'
import { clusterLifetimes } from './rotation.ts'
import { SecretStore } from './secret-store.ts'
import { configMapTrust, webhookTrust, type TrustPublisher } from './trust.ts'

const DAY = 86_400_000
const START = Math.floor(Date.now() / 1000) * 1000
const SECRET = 'secrets/nodeleaf-ca'
const CONFIG_MAP = 'configmaps/nodeleaf-ca'
const WEBHOOK = 'validatingwebhookconfigurations/nodeleaf'

interface Cluster {
  readonly objects: FakeObjects
  readonly lines: string[]
  day: number
  readonly signal: AbortSignal
  replica(publishers?: readonly TrustPublisher[]): Promise<ManagedCertificates>
  published(): string
}

function cluster(t: ExecutionContext): Cluster {
  const objects = new FakeObjects()
  const lines: string[] = []
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  const self: Cluster = {
    objects,
    lines,
    day: 0,
    signal: abort.signal,
    replica: (publishers = [configMapTrust(objects, 'nodeleaf-system'), webhookTrust(objects)]) => {
      const options: ManagedCertificatesOptions = {
        store: new SecretStore(objects, 'nodeleaf-system'),
        publishers,
        lifetimes: clusterLifetimes,
        dns: ['nodeleaf-controller'],
        addresses: ['127.0.0.1'],
        log: createLog({ level: 'debug', format: 'kv', write: (line) => lines.push(line), now: () => new Date(0) }),
        now: () => START + self.day * DAY,
        checkEveryMs: 5,
      }
      return ManagedCertificates.create(options, abort.signal)
    },
    published: () => (objects.objects.get(CONFIG_MAP) as unknown as { data: { 'ca.crt': string } }).data['ca.crt'],
  }
  return self
}

const authorities = (bundle: string): string[] => bundle.match(/-----BEGIN[^]+?-----END CERTIFICATE-----\n/g) ?? []
const signerOf = (certificates: ManagedCertificates, bundle = certificates.trusted): number =>
  authorities(bundle).findIndex((cert) => signed({ cert }, certificates.serving.cert))

test('of replicas that start together one makes the CA and the others take it over; serving keys differ', async (t) => {
  const here = cluster(t)
  const replicas = await Promise.all(Array.from({ length: 5 }, () => here.replica()))
  t.is(here.objects.writes.filter((each) => each === 'create secrets/nodeleaf-ca').length, 1)
  t.is(new Set(replicas.map((each) => each.serving.key)).size, 5)
  t.deepEqual(new Set(replicas.map((each) => each.trusted)), new Set([here.published()]))
  for (const each of replicas) t.is(signerOf(each), 0)
  const [first] = replicas
  t.is(new X509Certificate(first?.serving.cert ?? '').checkHost('nodeleaf-controller'), 'nodeleaf-controller')
})

test('a pass in which nothing is due writes and logs nothing', async (t) => {
  const here = cluster(t)
  const replica = await here.replica()
  const before = [here.objects.writes.length, here.lines.length]
  await replica.pass(here.signal)
  await replica.pass(here.signal)
  t.deepEqual([here.objects.writes.length, here.lines.length], before)
})

test('over three years two replicas rotate: trusted everywhere long before it signs, and never without a valid certificate', async (t) => {
  const here = cluster(t)
  const replicas = [await here.replica(), await here.replica()]
  const since = new Map<string, number>()
  const signers = new Set<string>()
  for (; here.day < 3 * 365; here.day += 5) {
    await Promise.all(replicas.map((each) => each.pass(here.signal)))
    const now = START + here.day * DAY
    for (const each of authorities(here.published())) if (!since.has(each)) since.set(each, here.day)
    for (const each of replicas) {
      t.true(validityOf(each.serving.cert).notAfterMs > now)
      const signer = authorities(here.published())[signerOf(each, here.published())]
      if (!signer) return t.fail(`nobody trusts what is served on day ${here.day}`)
      if (!signers.has(signer) && signers.size > 0) t.true(here.day - (since.get(signer) ?? here.day) >= 30)
      signers.add(signer)
    }
    t.true(authorities(here.published()).length <= 2)
  }
  t.is(signers.size, 5)
  return undefined
})

test('a clock that was years ahead and is put right leaves a certificate that is valid, and whom to trust for it', async (t) => {
  const here = cluster(t)
  const replica = await here.replica()
  here.day = 3000
  await replica.pass(here.signal)
  t.true(validityOf(replica.serving.cert).notBeforeMs > START + DAY, 'the clock is believed while it is wrong')
  here.day = 1
  await replica.pass(here.signal)
  const { notBeforeMs, notAfterMs } = validityOf(replica.serving.cert)
  t.true(notBeforeMs <= START + DAY && notAfterMs > START + DAY)
  t.true(signerOf(replica, here.published()) >= 0)
  const before = [here.objects.writes.length, replica.serving.cert]
  await replica.pass(here.signal)
  t.deepEqual([here.objects.writes.length, replica.serving.cert], before, 'and that is that')
})

test('while it cannot be published, a new CA signs nothing', async (t) => {
  const here = cluster(t)
  let fail = false
  const replica = await here.replica([
    async () => {
      if (fail) throw new Error('403 Forbidden')
    },
  ])
  here.day = 244
  await replica.pass(here.signal)
  fail = true
  for (here.day = 250; here.day < 364; here.day += 5) {
    await replica.pass(here.signal)
    t.is(signerOf(replica), 0)
    t.true(validityOf(replica.serving.cert).notAfterMs > START + here.day * DAY)
  }
  t.is(here.lines.filter((line) => line.includes('403 Forbidden')).length, 1)
  fail = false
  await replica.pass(here.signal)
  here.day = 366
  await replica.pass(here.signal)
  t.is(authorities(replica.trusted).length, 1)
  t.is(signerOf(replica), 0)
})

test('while the API server is away the replica goes on, and renews its certificate from memory', async (t) => {
  const here = cluster(t)
  const replica = await here.replica()
  const { cert } = replica.serving
  here.objects.down = true
  here.day = 21
  await replica.pass(here.signal)
  t.not(replica.serving.cert, cert)
  here.day = 22
  await replica.pass(here.signal)
  t.is(here.lines.filter((line) => line.includes('cannot read or renew')).length, 1)
  here.objects.down = false
  await replica.pass(here.signal)
  t.true(here.lines.some((line) => line.includes('the CA can be read again')))
})

test('a replica that starts while the API server is away waits for it', async (t) => {
  const here = cluster(t)
  here.objects.down = true
  const starting = here.replica()
  while (!here.lines.some((line) => line.includes('ECONNREFUSED'))) await new Promise((done) => setTimeout(done, 5))
  here.objects.down = false
  t.truthy((await starting).serving)
})

test('deleting the Secret makes a new CA, and every replica serves with it', async (t) => {
  const here = cluster(t)
  const replicas = [await here.replica(), await here.replica()]
  const old = here.published()
  here.objects.objects.delete(SECRET)
  for (const each of replicas) await each.pass(here.signal)
  t.not(here.published(), old)
  for (const each of replicas) {
    t.is(each.trusted, here.published())
    t.is(signerOf(each), 0)
  }
})

test('a Secret that cannot be used is left alone, and named with what to do', async (t) => {
  const here = cluster(t)
  const replica = await here.replica()
  const { cert } = replica.serving
  const secret = structuredClone(here.objects.objects.get(SECRET)) as unknown as KubeObject & {
    data: Record<string, string>
  }
  const key = Object.keys(secret.data).find((each) => each.endsWith('.key')) ?? ''
  secret.data[key] = Buffer.from('-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n').toString(
    'base64',
  )
  here.objects.objects.set(SECRET, secret)
  const { length } = here.objects.writes
  await replica.pass(here.signal)
  t.is(here.objects.writes.length, length)
  t.is(replica.serving.cert, cert)
  const line = here.lines.at(-1) ?? ''
  t.regex(line, /Secret nodeleaf-system\/nodeleaf-ca cannot be used: .*no private key in PEM; restore it, or delete it/)
  t.false(line.includes('SECRETSECRET'))
})

test('who asked is told of each change, until the signal aborts', async (t) => {
  const here = cluster(t)
  const replica = await here.replica()
  const abort = new AbortController()
  let changes = 0
  replica.onChange(() => changes++, abort.signal)
  await replica.pass(here.signal)
  t.is(changes, 0)
  here.day = 21
  await replica.pass(here.signal)
  t.is(changes, 1)
  abort.abort()
  here.day = 42
  await replica.pass(here.signal)
  t.is(changes, 1)
})

test('the webhooks learn the CA, also after somebody has overwritten it', async (t) => {
  const here = cluster(t)
  const client = { service: { name: 'nodeleaf-controller', namespace: 'nodeleaf-system' } }
  const configuration = {
    metadata: { name: 'nodeleaf' },
    webhooks: [
      { name: 'validate.nodeleaf.io', clientConfig: client },
      { name: 'warn-delete.nodeleaf.io', clientConfig: { ...client, caBundle: 'b2xk' } },
    ],
  }
  here.objects.objects.set(WEBHOOK, configuration)
  const replica = await here.replica()
  const bundles = (): string[] =>
    (
      here.objects.objects.get(WEBHOOK) as unknown as { webhooks: { clientConfig: { caBundle: string } }[] }
    ).webhooks.map((each) => Buffer.from(each.clientConfig.caBundle, 'base64').toString())
  t.deepEqual(bundles(), [replica.trusted, replica.trusted])
  const { length } = here.objects.writes
  await replica.pass(here.signal)
  t.is(here.objects.writes.length, length)
})

test('nothing that is logged holds a key', async (t) => {
  const here = cluster(t)
  const replica = await here.replica()
  for (; here.day < 400; here.day += 20) await replica.pass(here.signal)
  const secret = here.objects.objects.get(SECRET) as unknown as { data: Record<string, string> }
  const keys = [
    replica.serving.key,
    ...Object.values(secret.data).map((each) => Buffer.from(each, 'base64').toString()),
  ]
  const words = keys.flatMap((each) => each.split('\n')).filter((each) => each.length > 20 && !each.includes('-----'))
  t.true(words.length > 4)
  t.false(here.lines.some((line) => words.some((word) => line.includes(word))))
})
