import { Agent, request as httpsRequest } from 'node:https'
import test, { type ExecutionContext } from 'ava'
import { Registry } from 'prom-client'
import { createLog } from '../../log/log.ts'
import { createAuthority, issueServing, signed } from '../tls/authority.ts'
import type { Certificates, ServingCertificate } from '../tls/certificates.ts'
import { Changes } from '../tls/changes.ts'
import { FakeObjects } from '../tls/fake-objects.ts'
import { ManagedCertificates } from '../tls/managed-certificates.ts'
import { clusterLifetimes } from '../tls/rotation.ts'
import { SecretStore } from '../tls/secret-store.ts'
import type { AdmissionWorld } from './admission-world.ts'
import { l2vni, l3vni, passthrough, reviewOf, session, underlay, world, type Raw } from './fixture.ts'
import { createAdmissionMetrics } from './metrics.ts'
import { Webhook } from './webhook.ts'

const DAY = 86_400_000
const names = { dns: ['nodeleaf-controller.nodeleaf-system.svc'], addresses: ['127.0.0.1'] }

interface Answer {
  readonly status: number
  readonly body: string
}

interface Verdict {
  readonly response: {
    readonly uid: string
    readonly allowed: boolean
    readonly warnings?: readonly string[]
    readonly status?: { readonly code: number; readonly reason: string; readonly message: string }
  }
}

/** An authority whose serving certificates can be changed for new ones. */
async function rotating(): Promise<Certificates & { turn(next?: ServingCertificate): Promise<void> }> {
  const authority = await createAuthority(Date.now(), DAY)
  const issue = (): Promise<ServingCertificate> => issueServing(authority, names, Date.now(), DAY)
  const changes = new Changes()
  let serving = await issue()
  return {
    trusted: authority.cert,
    get serving() {
      return serving
    },
    onChange: (changed, signal) => changes.onChange(changed, signal),
    async turn(next) {
      serving = next ?? (await issue())
      changes.announce()
    },
  }
}

async function opened<C extends Certificates>(t: ExecutionContext, here: AdmissionWorld | undefined, certificates: C) {
  // What was published when the load began.
  const ca = certificates.trusted
  const registry = new Registry()
  const lines: string[] = []
  const webhook = await Webhook.open({
    host: '127.0.0.1',
    port: 0,
    certificates,
    world: () => here,
    metrics: createAdmissionMetrics(registry),
    log: createLog({ level: 'info', format: 'kv', write: (line) => lines.push(line), now: () => new Date(0) }),
  })
  const kept = new Agent({ keepAlive: true, maxSockets: 4 })
  t.teardown(async () => {
    kept.destroy()
    await webhook[Symbol.asyncDispose]()
  })
  const call = (
    body: string | Buffer,
    options: object = {},
  ): Promise<Answer & { readonly serial: string; readonly localPort: number }> =>
    new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: '127.0.0.1',
          port: webhook.port,
          servername: names.dns[0],
          ca,
          method: 'POST',
          path: '/validate?timeout=5s',
          headers: { 'content-type': 'application/json' },
          agent: false,
          ...options,
        },
        (response) => {
          const socket = response.socket as import('node:tls').TLSSocket
          const serial = socket.getPeerX509Certificate()?.serialNumber ?? ''
          const localPort = socket.localPort ?? 0
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (text += chunk))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, serial, localPort }))
        },
      )
      request.on('error', reject)
      request.end(body)
    })
  const ask = async (operation: 'CREATE' | 'UPDATE' | 'DELETE', object: Raw, fields = {}): Promise<Verdict> =>
    JSON.parse((await call(JSON.stringify(reviewOf(operation, object, fields)))).body) as Verdict
  return { certificates, registry, lines, call, ask, kept, webhook }
}

test('a request is answered with its uid, a denial with a message, a warning with its text', async (t) => {
  const { ask, registry } = await opened(t, world([underlay('ul'), l2vni('a', 1)]), await rotating())
  t.deepEqual(await ask('CREATE', l2vni('b', 2)), {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: 'f4e1', allowed: true },
  } as unknown as Verdict)
  const denied = await ask('CREATE', l2vni('c', 1))
  t.false(denied.response.allowed)
  t.is(denied.response.status?.code, 422)
  t.regex(denied.response.status?.message ?? '', /^L2VNI\/c: spec\.vni: 1: VNI 1 belongs to L2VNI\/a/)
  const deleted = await ask('DELETE', underlay('ul'))
  t.true(deleted.response.allowed)
  t.regex(deleted.response.warnings?.join() ?? '', /L2VNI\/a.* will not be Ready/)
  const text = await registry.metrics()
  t.regex(text, /nodeleaf_admission_requests_total\{operation="CREATE",kind="L2VNI",allowed="false"\} 1/)
  t.regex(text, /nodeleaf_admission_requests_total\{operation="DELETE",kind="Underlay",allowed="true"\} 1/)
  t.regex(text, /nodeleaf_admission_duration_seconds_count 3/)
})

test('before everything was read: 503 to what needs it, and deletion is never in the way', async (t) => {
  const { call, ask, registry } = await opened(t, undefined, await rotating())
  const answer = await call(JSON.stringify(reviewOf('CREATE', l2vni('b', 2))))
  t.is(answer.status, 503)
  t.true((await ask('DELETE', underlay('ul'))).response.allowed)
  const leaving = l2vni('a', 1)
  t.true((await ask('UPDATE', leaving, { oldObject: leaving })).response.allowed)
  t.regex(await registry.metrics(), /operation="CREATE",kind="L2VNI",allowed="error"\} 1/)
})

const good = JSON.stringify(reviewOf('CREATE', l2vni('b', 2)))
const bad: Readonly<Record<string, { body?: string | Buffer; options?: object; status: number; says: RegExp }>> = {
  'no JSON': { body: '{"apiVersion"', status: 400, says: /not JSON/ },
  'an empty body': { body: '', status: 400, says: /not JSON/ },
  'another version': {
    body: good.replace('admission.k8s.io/v1', 'admission.k8s.io/v1beta1'),
    status: 400,
    says: /not an AdmissionReview/,
  },
  'no request': { body: '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', status: 400, says: /request/ },
  'an object that is a list': {
    body: good.replace(/"object":\{.*\},"oldObject"/, '"object":[],"oldObject"'),
    status: 400,
    says: /object/,
  },
  'bytes that are no text': { body: Buffer.from([0xff, 0xfe, 0]), status: 400, says: /not JSON/ },
  'another type': { options: { headers: { 'content-type': 'text/plain' } }, status: 415, says: /application\/json/ },
  'another path': { options: { path: '/mutate' }, status: 404, says: /only \/validate/ },
  'another method': { options: { method: 'PUT' }, status: 405, says: /POST/ },
}
for (const [name, { body = good, options = {}, status, says }] of Object.entries(bad))
  test(`${name} is answered with ${status}`, async (t) => {
    const { call, ask } = await opened(t, world([underlay('ul')]), await rotating())
    const answer = await call(body, options)
    t.is(answer.status, status)
    t.regex(answer.body, says)
    t.true((await ask('CREATE', l2vni('b', 2))).response.allowed, 'and the next one is answered')
  })

test('a body without end is not kept in memory', async (t) => {
  const { call, ask } = await opened(t, world([underlay('ul')]), await rotating())
  const answer = await call(Buffer.alloc(9 * 1024 * 1024, 32)).catch((error: NodeJS.ErrnoException) => error)
  // The server answers without reading on, and the client may notice that first.
  if ('status' in answer) t.is(answer.status, 413)
  else t.true(['EPIPE', 'ECONNRESET'].includes(answer.code ?? ''))
  t.true((await ask('CREATE', l2vni('b', 2))).response.allowed)
})

test('odd objects are denied or allowed, never an error', async (t) => {
  const { call } = await opened(t, world([underlay('ul')]), await rotating())
  const odd = ['null', '1', '"x"', '[]', '{}', '{"vni":null}', '{"vni":1e99}', '{"vni":1,"nodeSelector":[]}']
  for (const spec of odd) {
    const review = good.replace(/"spec":\{[^}]*\}/, `"spec":${spec}`)
    const answer = await call(review)
    t.is(answer.status, 200, spec)
    t.false((JSON.parse(answer.body) as Verdict).response.allowed, spec)
  }
})

test('whatever stands anywhere in a review: an answer, never an error', async (t) => {
  const { call, lines } = await opened(t, world([underlay('ul'), l2vni('a', 1)]), await rotating())
  const values = [null, 0, -1, 1e99, '', 'constructor', '__proto__', [], {}, [null], { a: { b: [] } }, 'x'.repeat(1e4)]
  const kinds = [
    l2vni('b', 2, { gatewayIPs: ['10.0.0.1/24'], vrf: 'red' }),
    l3vni('c', 3, 'red', session('10.1.0.0/24')),
  ]
  const reviews = [...kinds, underlay('other'), passthrough('p', '10.2.0.0/24')].flatMap((each) => [
    reviewOf('CREATE', each),
    reviewOf('UPDATE', each, { oldObject: { ...each, spec: { ...each.spec, nodeSelector: {} } } }),
    reviewOf('DELETE', each),
    reviewOf('DELETE', each, { oldObject: null }),
    reviewOf('UPDATE', each, { oldObject: null }),
    reviewOf('CREATE', each, { object: null }),
    reviewOf('UPDATE', each, { subResource: 'status', object: null, oldObject: null }),
    reviewOf('CREATE', each, { kind: { group: 'nodeleaf.io', version: 'v1alpha1', kind: 'constructor' } }),
  ])
  const seen = new Map<number, number>()
  for (const review of reviews) {
    for (const path of pathsOf(review)) {
      const value = values[(seen.get(200) ?? 0) % values.length]
      const { status } = await call(JSON.stringify(replaced(review, path, value)))
      seen.set(status, (seen.get(status) ?? 0) + 1)
      if (status !== 200 && status !== 400) t.fail(`${status} for ${path.join('.')} = ${JSON.stringify(value)}`)
    }
  }
  t.deepEqual(
    lines.filter((line) => line.includes('could not be reviewed')),
    [],
  )
  t.true((seen.get(200) ?? 0) > 100 && (seen.get(400) ?? 0) > 10, JSON.stringify([...seen]))
})

type Path = readonly (string | number)[]

function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))]
}

function replaced(value: unknown, [first, ...rest]: Path, by: unknown): unknown {
  if (first === undefined) return by
  if (Array.isArray(value)) return value.map((each, at) => (String(at) === first ? replaced(each, rest, by) : each))
  return { ...(value as object), [first]: replaced((value as Record<string, unknown>)[first], rest, by) }
}

test('certificates change under load: no handshake fails, no connection is cut', async (t) => {
  const { certificates, call, kept } = await opened(t, world([underlay('ul')]), await rotating())
  const serials = new Set<string>()
  const done = new AbortController()
  let answers = 0
  const dialing = async (): Promise<void> => {
    while (!done.signal.aborted) {
      const { status, serial } = await call(good)
      t.is(status, 200)
      serials.add(serial)
      answers++
    }
  }
  const keeping = async (): Promise<void> => {
    const first = await call(good, { agent: kept })
    while (!done.signal.aborted) {
      const { status, localPort } = await call(good, { agent: kept })
      t.is(status, 200)
      t.is(localPort, first.localPort)
    }
  }
  const load = [dialing(), dialing(), dialing(), keeping()]
  for (let i = 0; i < 20; i++) {
    const { length } = [...serials]
    await certificates.turn()
    // Until somebody has met the new one.
    while (serials.size === length) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  done.abort()
  await Promise.all(load)
  t.true(serials.size >= 20)
  t.true(answers >= 20)
})

test('the CA changes under load: who trusted what was published before loses nothing', async (t) => {
  let day = -300
  const objects = new FakeObjects()
  const options = {
    store: new SecretStore(objects, 'nodeleaf-system'),
    publishers: [],
    lifetimes: clusterLifetimes,
    ...names,
    log: createLog({ level: 'error', format: 'kv', write: () => {}, now: () => new Date(0) }),
    now: () => Date.now() + day * DAY,
  }
  const { signal } = new AbortController()
  const certificates = await ManagedCertificates.create(options, signal)
  for (day of [-55, -29]) await certificates.pass(signal)
  const authorities = certificates.trusted.match(/-----BEGIN[^]+?-----END CERTIFICATE-----\n/g) ?? []
  const signer = (): number => authorities.findIndex((cert) => signed({ cert }, certificates.serving.cert))
  t.is(authorities.length, 2)
  t.is(signer(), 0)
  const { call } = await opened(t, world([underlay('ul')]), certificates)
  const serials = new Set<string>()
  const done = new AbortController()
  const dialing = async (): Promise<void> => {
    while (!done.signal.aborted) serials.add((await call(good)).serial)
  }
  const load = [dialing(), dialing()]
  while (serials.size < 1) await new Promise((resolve) => setTimeout(resolve, 2))
  day = -1
  await certificates.pass(signal)
  t.is(signer(), 1)
  while (serials.size < 2) await new Promise((resolve) => setTimeout(resolve, 2))
  done.abort()
  await t.notThrowsAsync(Promise.all(load))
})

test('a certificate that is of no use leaves the old one, and the log says so', async (t) => {
  const { certificates, ask, lines } = await opened(t, world([underlay('ul')]), await rotating())
  await certificates.turn({ cert: 'none', key: 'SECRETSECRET' })
  t.true((await ask('CREATE', l2vni('b', 2))).response.allowed)
  t.regex(lines.join(), /serves with the old certificate/)
  t.false(lines.join().includes('SECRETSECRET'))
})

test('a port in use is an error that names the flag', async (t) => {
  const { webhook, certificates } = await opened(t, undefined, await rotating())
  const metrics = createAdmissionMetrics(new Registry())
  const log = createLog({ level: 'info', format: 'kv', write: () => {}, now: () => new Date(0) })
  const again = { host: '127.0.0.1', port: webhook.port, certificates, world: () => undefined, metrics, log }
  await t.throwsAsync(Webhook.open(again), { name: 'WebhookError', message: /--webhook/ })
})
