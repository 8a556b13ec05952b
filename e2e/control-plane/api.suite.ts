/** What nodeleaf relies on in an API server when it writes objects: the same holds for the real one and for the one in memory. */
import test from 'ava'
import { apiSuite, l3vni, merge, ready } from './api-suite.ts'
import type { KubeObject } from './client.ts'
import { eventually } from './cluster.ts'
import { root } from './objects.ts'

const api = apiSuite()

test('a new object has an identity, a time and generation 1; its status is not taken', async (t) => {
  const made = await api.create({ ...l3vni('fresh'), status: { conditions: [ready('True')] } })
  t.regex(made.metadata.uid ?? '', /^[0-9a-f-]{36}$/)
  t.regex(made.metadata.creationTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  t.is(made.metadata.generation, 1)
  t.is(made['status'], undefined)
  t.is((await api.client.call('POST', `${root}/l3vnis`, { body: l3vni('fresh') })).body.reason, 'AlreadyExists')
})

test('generateName makes a name', async (t) => {
  const body = { ...l3vni('x'), metadata: { generateName: 'made-' } }
  const made = await api.client.ask('POST', `${root}/l3vnis`, { body })
  t.regex(made.metadata.name, /^made-[a-z0-9]{5}$/)
})

test('what is not there is NotFound, by its name', async (t) => {
  const { status, body } = await api.client.call('GET', `${root}/l3vnis/nobody`)
  t.is(status, 404)
  t.like(body, { kind: 'Status', reason: 'NotFound', message: 'l3vnis.nodeleaf.io "nobody" not found' })
})

test('a replacement with an old resourceVersion is a Conflict, one without is refused', async (t) => {
  const first = await api.create(l3vni('replaced'))
  const second = await api.client.ask('PUT', `${root}/l3vnis/replaced`, {
    body: { ...first, spec: { vni: 2, vrf: 'red' } },
  })
  t.is(second.metadata.generation, 2)
  t.true(Number(second.metadata.resourceVersion) > Number(first.metadata.resourceVersion))
  const stale = await api.client.call('PUT', `${root}/l3vnis/replaced`, {
    body: { ...first, spec: { vni: 3, vrf: 'red' } },
  })
  t.like(stale.body, { code: 409, reason: 'Conflict' })
  t.regex(
    stale.body.message,
    /the object has been modified; please apply your changes to the latest version and try again/,
  )
  const bare = await api.client.call('PUT', `${root}/l3vnis/replaced`, { body: l3vni('replaced', { vni: 4 }) })
  t.is(bare.status, 422)
})

test('a write that changes nothing is no change: no new resourceVersion', async (t) => {
  const first = await api.create(l3vni('same'))
  const second = await api.client.ask('PUT', `${root}/l3vnis/same`, { body: first })
  t.is(second.metadata.resourceVersion, first.metadata.resourceVersion)
  const third = await api.client.ask('PATCH', `${root}/l3vnis/same`, { body: { spec: { vni: 1 } }, type: merge })
  t.is(third.metadata.resourceVersion, first.metadata.resourceVersion)
})

test('status is written by its own path, and only there; it does not count as a generation', async (t) => {
  await api.create(l3vni('statused'))
  const status = { conditions: [ready('True', { observedGeneration: 1 })], nodes: { selected: 1, ready: 1, failed: 0 } }
  const after = await api.client.ask('PATCH', `${root}/l3vnis/statused/status`, {
    body: { status, spec: { vni: 77 } },
    type: merge,
  })
  t.is(after['spec'].vni, 1)
  t.is(after.metadata.generation, 1)
  t.is(after['status'].nodes.ready, 1)
  const main = await api.client.ask('PATCH', `${root}/l3vnis/statused`, {
    body: { status: { nodes: null }, spec: { vni: 5 } },
    type: merge,
  })
  t.is(main['status'].nodes.ready, 1)
  t.deepEqual([main['spec'].vni, main.metadata.generation], [5, 2])
  const labelled = await api.client.ask('PATCH', `${root}/l3vnis/statused`, {
    body: { metadata: { labels: { a: 'b' } } },
    type: merge,
  })
  t.is(labelled.metadata.generation, 2)
})

test('a status that breaks its schema is refused', async (t) => {
  await api.create(l3vni('badstatus'))
  const body = { status: { conditions: [{ type: 'Ready', status: 'Maybe' }] } }
  const answer = await api.client.call('PATCH', `${root}/l3vnis/badstatus/status`, { body, type: merge })
  t.is(answer.status, 422)
  const fields = (answer.body.details.causes as { field: string }[]).map(({ field }) => field)
  for (const field of ['reason', 'message', 'lastTransitionTime', 'status'])
    t.true(fields.includes(`status.conditions[0].${field}`), field)
})

test('JSON patches: a test that fails refuses the whole', async (t) => {
  await api.create(l3vni('patched'))
  const type = 'application/json-patch+json'
  const patch = (...body: object[]) => api.client.call('PATCH', `${root}/l3vnis/patched`, { body, type })
  t.is(
    (await patch({ op: 'test', path: '/spec/vni', value: 2 }, { op: 'replace', path: '/spec/vni', value: 3 })).status,
    422,
  )
  t.is((await api.read('patched'))['spec'].vni, 1)
  const done = await patch(
    { op: 'test', path: '/spec/vni', value: 1 },
    { op: 'add', path: '/metadata/labels', value: { a: 'b' } },
  )
  t.deepEqual([done.status, done.body.metadata.labels], [200, { a: 'b' }])
})

test('a kind with a CRD has no strategic merge patch', async (t) => {
  await api.create(l3vni('strategic'))
  const type = 'application/strategic-merge-patch+json'
  t.is((await api.client.call('PATCH', `${root}/l3vnis/strategic`, { body: {}, type })).status, 415)
})

test('finalizers hold an object that is deleted, until the last is gone', async (t) => {
  await api.create(l3vni('held', {}, { finalizers: ['nodeleaf.io/test'] }))
  await api.client.ask('DELETE', `${root}/l3vnis/held`)
  const held = await api.read('held')
  t.regex(held.metadata.deletionTimestamp ?? '', /^\d{4}/)
  await api.client.ask('PATCH', `${root}/l3vnis/held`, { body: { metadata: { finalizers: [] } }, type: merge })
  await eventually('it is gone', async () => (await api.client.call('GET', `${root}/l3vnis/held`)).status === 404)
})

test('a deletion can be bound to a uid', async (t) => {
  await api.create(l3vni('precious'))
  const body = {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    preconditions: { uid: '00000000-0000-0000-0000-000000000000' },
  }
  const { status } = await api.client.call('DELETE', `${root}/l3vnis/precious`, { body })
  t.is(status, 409)
  t.is((await api.read('precious')).metadata.name, 'precious')
})

test('a Lease takes micro times only, and refuses to be taken twice', async (t) => {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
  const lease = (renewTime: string): KubeObject => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'leader' },
    spec: { holderIdentity: 'one', leaseDurationSeconds: 10, renewTime },
  })
  t.is((await api.client.call('POST', leases, { body: lease('2026-01-01T00:00:00Z') })).status, 400)
  const made = await api.client.ask('POST', leases, { body: lease('2026-01-01T00:00:00.000000Z') })
  const take = (holderIdentity: string) =>
    api.client.call('PUT', `${leases}/leader`, { body: { ...made, spec: { ...made['spec'], holderIdentity } } })
  t.deepEqual((await Promise.all([take('two'), take('three')])).map(({ status }) => status).sort(), [200, 409])
})

test('a Lease that is gone is not made anew by whoever holds its uid', async (t) => {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
  const spec = { holderIdentity: 'one', leaseDurationSeconds: 10 }
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'gone', namespace: 'default' },
    spec,
  }
  const made = await api.client.ask('POST', leases, { body: lease })
  await api.client.ask('DELETE', `${leases}/gone`)
  t.is((await api.client.call('PUT', `${leases}/gone`, { body: made })).status, 409)
})

test('an Event on a cluster-scoped object lives in the namespace default', async (t) => {
  const event = (namespace: string): KubeObject => ({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'l3vni.1', namespace },
    regarding: { apiVersion: 'nodeleaf.io/v1alpha1', kind: 'L3VNI', name: 'red' },
    reason: 'NotAccepted',
    action: 'Plan',
    note: 'why',
    type: 'Warning',
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'nodeleaf.io/controller',
    reportingInstance: 'one',
  })
  const post = (namespace: string, body: object) =>
    api.client.call('POST', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, { body })
  t.is((await post('kube-public', event('kube-public'))).status, 422)
  t.is((await post('default', { ...event('default'), action: undefined })).status, 422)
  t.is((await post('default', event('default'))).status, 201)
})
