/** How an API server calls a validating webhook: the rules nodeleaf's own configuration stands on. */
import test from 'ava'
import { apiSuite, merge } from './api-suite.ts'
import type { KubeObject } from './client.ts'
import { eventually } from './cluster.ts'
import { root } from './objects.ts'
import { startWebhook, type Webhook } from './webhook.ts'

const api = apiSuite()
let webhook: Webhook

const rules = (...operations: readonly string[]) => [
  { operations, apiGroups: ['nodeleaf.io'], apiVersions: ['*'], resources: ['l3vnis'] },
]

const configuration = (name: string, change: object, clientConfig: object, label: string): KubeObject => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name },
  webhooks: [
    {
      name: `${name}.nodeleaf.io`,
      clientConfig,
      rules: rules('CREATE', 'UPDATE', 'DELETE'),
      objectSelector: { matchLabels: { hook: label } },
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      failurePolicy: 'Fail',
      timeoutSeconds: 20,
      ...change,
    },
  ],
})

/** Those of deploy/nodeleaf.yaml. */
const matchConditions = [
  {
    name: 'declares-something',
    expression:
      "request.operation == 'CREATE' || (object.spec != oldObject.spec && !has(object.metadata.deletionTimestamp))",
  },
]

const l3vni = (name: string, hook: string): KubeObject => ({
  apiVersion: 'nodeleaf.io/v1alpha1',
  kind: 'L3VNI',
  metadata: { name, labels: { hook } },
  spec: { vni: 1, vrf: 'red' },
})
const post = (name: string, hook: string) => api.client.call('POST', `${root}/l3vnis`, { body: l3vni(name, hook) })
/** What the webhook was asked of an object of a test. */
const asked = (name: string): string[] =>
  webhook.requests.filter((each) => each.name === name).map(({ operation }) => operation)

test.before(async (t) => {
  t.timeout(180_000)
  webhook = await startWebhook(({ name }) => {
    if (name.startsWith('refused')) return { allowed: false, message: 'VNI 1 is taken by L3VNI blue' }
    if (name.startsWith('silent')) return 'silent'
    return { allowed: true, warnings: name.startsWith('warned') ? ['no node is selected', 'two "quotes"'] : [] }
  })
  const { url, caBundle } = webhook
  const nowhere = { url: 'https://127.0.0.1:1/validate', caBundle }
  await api.client.apply([
    configuration('strict', {}, { url, caBundle }, 'strict'),
    configuration('hasty', { timeoutSeconds: 2 }, { url, caBundle }, 'hasty'),
    configuration('lenient', { failurePolicy: 'Ignore' }, nowhere, 'lenient'),
    configuration('broken', {}, nowhere, 'broken'),
    configuration('conditional', { matchConditions, rules: rules('CREATE', 'UPDATE') }, nowhere, 'conditional'),
  ])
  // An API server takes a moment to see a new configuration.
  await eventually('the webhooks are called', async () => {
    const [strict, hasty, broken] = ['strict', 'hasty', 'broken'].map((each) => `probe-${each}-${Date.now()}`)
    await post(strict ?? '', 'strict')
    await post(hasty ?? '', 'hasty')
    const failed = await post(broken ?? '', 'broken')
    return failed.status === 500 && asked(strict ?? '').length > 0 && asked(hasty ?? '').length > 0
  })
})
test.after.always(() => webhook?.[Symbol.asyncDispose]())

test('what it refuses is refused, with its words', async (t) => {
  const { status, body } = await post('refused', 'strict')
  t.is(status, 403)
  t.is(body.message, 'admission webhook "strict.nodeleaf.io" denied the request: VNI 1 is taken by L3VNI blue')
  t.is((await api.client.call('GET', `${root}/l3vnis/refused`)).status, 404)
})

test('what it warns of reaches the client', async (t) => {
  const { status, warnings } = await post('warned', 'strict')
  t.deepEqual([status, warnings], [201, ['no node is selected', 'two "quotes"']])
})

test('it is asked of creation, change and deletion, with what was and what comes; not of the status', async (t) => {
  await post('followed', 'strict')
  await api.client.ask('PATCH', `${root}/l3vnis/followed`, { body: { spec: { vni: 2 } }, type: merge })
  await api.client.ask('PATCH', `${root}/l3vnis/followed/status`, {
    body: { status: { conditions: [] } },
    type: merge,
  })
  await api.client.ask('DELETE', `${root}/l3vnis/followed`)
  t.deepEqual(asked('followed'), ['CREATE', 'UPDATE', 'DELETE'])
  const [created, updated, deleted] = webhook.requests.filter(({ name }) => name === 'followed')
  t.like(created, {
    oldObject: null,
    object: { kind: 'L3VNI', spec: { vni: 1 } },
    userInfo: { username: 'kubernetes-admin' },
  })
  t.like(updated, { oldObject: { spec: { vni: 1 } }, object: { spec: { vni: 2 } } })
  t.like(deleted, { oldObject: { spec: { vni: 2 } }, object: null })
})

test('with conditions it is asked of what declares something alone: one that is down holds up no finalizer', async (t) => {
  t.is((await post('conditional', 'conditional')).status, 500, 'a new object')
  const { metadata, ...rest } = l3vni('held', 'conditional')
  const path = `${root}/l3vnis/held`
  await api.client.ask('POST', `${root}/l3vnis`, {
    body: { ...rest, metadata: { name: 'held', finalizers: ['example.com/hold'] } },
  })
  const patch = (body: object) => api.client.call('PATCH', path, { body, type: merge })
  t.is((await patch({ metadata: { labels: metadata.labels } })).status, 200, 'a label')
  t.is((await patch({ spec: { vni: 77 } })).status, 500, 'another spec')
  await api.client.ask('DELETE', path)
  t.is((await patch({ metadata: { finalizers: null } })).status, 200, 'a finalizer')
  t.is((await api.client.call('GET', path)).status, 404)
})

test('it is not asked of what its selector leaves out, nor of what the schema refuses anyway', async (t) => {
  await post('another', 'no')
  const bad = { ...l3vni('invalid', 'strict'), spec: { vni: 0, vrf: 'red' } }
  t.is((await api.client.call('POST', `${root}/l3vnis`, { body: bad })).status, 422)
  t.deepEqual([...asked('another'), ...asked('invalid')], [])
})

test('when it does not answer in time, failurePolicy Fail refuses', async (t) => {
  const { status, body } = await post('silent', 'hasty')
  t.is(status, 500)
  t.regex(body.message, /failed calling webhook "hasty\.nodeleaf\.io".*(deadline exceeded|timeout)/)
})

test('when it is not there, Fail refuses and Ignore goes on', async (t) => {
  const failed = await post('unanswered', 'broken')
  t.is(failed.status, 500)
  t.regex(failed.body.message, /failed calling webhook "broken\.nodeleaf\.io".*connection refused/)
  t.is((await post('let-through', 'lenient')).status, 201)
  t.is((await api.client.call('DELETE', `${root}/l3vnis/let-through`)).status, 200)
})

test('a configuration is completed, and refused when it lacks what it must have', async (t) => {
  const made = await api.client.ask(
    'GET',
    '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/strict',
  )
  t.like((made['webhooks'] as object[])[0], {
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    rules: [{ scope: '*' }],
  })
  const bad = configuration('bad', { sideEffects: undefined, timeoutSeconds: 31 }, { url: webhook.url }, 'x')
  const { status, body } = await api.client.call(
    'POST',
    '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
    { body: bad },
  )
  t.is(status, 422)
  t.deepEqual((body.details.causes as { field: string }[]).map(({ field }) => field).sort(), [
    'webhooks[0].sideEffects',
    'webhooks[0].timeoutSeconds',
  ])
})
