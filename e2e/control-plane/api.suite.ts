/** What nodeleaf relies on in an API server: the same holds for the real one and for the one in memory. */
import test from 'ava'
import type { KubeObject, WatchEvent } from './client.ts'
import { addNode, eventually, startCluster, tokenFor, type Cluster } from './cluster.ts'

const root = '/apis/nodeleaf.io/v1alpha1'
const merge = 'application/merge-patch+json'
let cluster: Cluster

test.before(async (t) => {
  t.timeout(180_000)
  cluster = await startCluster()
  t.log(`API server: ${cluster.name}`)
})
test.after.always(() => cluster?.[Symbol.asyncDispose]())

const l3vni = (name: string, spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: 'nodeleaf.io/v1alpha1',
  kind: 'L3VNI',
  metadata: { name, ...metadata },
  spec: { vni: 1, vrf: 'red', ...spec },
})
const create = (object: KubeObject): Promise<KubeObject> =>
  cluster.client.ask('POST', `${root}/l3vnis`, { body: object })
const read = (name: string): Promise<KubeObject> => cluster.client.ask('GET', `${root}/l3vnis/${name}`)
const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
})
const maps = '/api/v1/namespaces/default/configmaps'
const ready = (status: string, more: object = {}): object => ({
  type: 'Ready',
  status,
  reason: 'Because',
  message: 'm',
  lastTransitionTime: '2026-01-01T00:00:00Z',
  ...more,
})

/** Events of a watch until one satisfies; bounded. */
async function watched(
  path: string,
  until: (event: WatchEvent, all: readonly WatchEvent[]) => boolean,
): Promise<WatchEvent[]> {
  const all: WatchEvent[] = []
  const abort = AbortSignal.timeout(30_000)
  for await (const event of cluster.client.watch(path, abort)) {
    all.push(event)
    if (until(event, all)) return all
  }
  return all
}

test('a new object has an identity, a time and generation 1; its status is not taken', async (t) => {
  const made = await create({ ...l3vni('fresh'), status: { conditions: [ready('True')] } })
  t.regex(made.metadata.uid ?? '', /^[0-9a-f-]{36}$/)
  t.regex(made.metadata.creationTimestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  t.is(made.metadata.generation, 1)
  t.is(made['status'], undefined)
  t.is((await cluster.client.call('POST', `${root}/l3vnis`, { body: l3vni('fresh') })).body.reason, 'AlreadyExists')
})

test('generateName makes a name', async (t) => {
  const body = { ...l3vni('x'), metadata: { generateName: 'made-' } }
  const made = await cluster.client.ask('POST', `${root}/l3vnis`, { body })
  t.regex(made.metadata.name, /^made-[a-z0-9]{5}$/)
})

test('what is not there is NotFound, by its name', async (t) => {
  const { status, body } = await cluster.client.call('GET', `${root}/l3vnis/nobody`)
  t.is(status, 404)
  t.like(body, { kind: 'Status', reason: 'NotFound', message: 'l3vnis.nodeleaf.io "nobody" not found' })
})

test('a replacement with an old resourceVersion is a Conflict, one without is refused', async (t) => {
  const first = await create(l3vni('replaced'))
  const second = await cluster.client.ask('PUT', `${root}/l3vnis/replaced`, {
    body: { ...first, spec: { vni: 2, vrf: 'red' } },
  })
  t.is(second.metadata.generation, 2)
  t.true(Number(second.metadata.resourceVersion) > Number(first.metadata.resourceVersion))
  const stale = await cluster.client.call('PUT', `${root}/l3vnis/replaced`, {
    body: { ...first, spec: { vni: 3, vrf: 'red' } },
  })
  t.like(stale.body, { code: 409, reason: 'Conflict' })
  t.regex(
    stale.body.message,
    /the object has been modified; please apply your changes to the latest version and try again/,
  )
  const bare = await cluster.client.call('PUT', `${root}/l3vnis/replaced`, { body: l3vni('replaced', { vni: 4 }) })
  t.is(bare.status, 422)
})

test('a write that changes nothing is no change: no new resourceVersion', async (t) => {
  const first = await create(l3vni('same'))
  const second = await cluster.client.ask('PUT', `${root}/l3vnis/same`, { body: first })
  t.is(second.metadata.resourceVersion, first.metadata.resourceVersion)
  const third = await cluster.client.ask('PATCH', `${root}/l3vnis/same`, { body: { spec: { vni: 1 } }, type: merge })
  t.is(third.metadata.resourceVersion, first.metadata.resourceVersion)
})

test('status is written by its own path, and only there; it does not count as a generation', async (t) => {
  await create(l3vni('statused'))
  const status = { conditions: [ready('True', { observedGeneration: 1 })], nodes: { selected: 1, ready: 1, failed: 0 } }
  const after = await cluster.client.ask('PATCH', `${root}/l3vnis/statused/status`, {
    body: { status, spec: { vni: 77 } },
    type: merge,
  })
  t.is(after['spec'].vni, 1)
  t.is(after.metadata.generation, 1)
  t.is(after['status'].nodes.ready, 1)
  const main = await cluster.client.ask('PATCH', `${root}/l3vnis/statused`, {
    body: { status: { nodes: null }, spec: { vni: 5 } },
    type: merge,
  })
  t.is(main['status'].nodes.ready, 1)
  t.deepEqual([main['spec'].vni, main.metadata.generation], [5, 2])
  const labelled = await cluster.client.ask('PATCH', `${root}/l3vnis/statused`, {
    body: { metadata: { labels: { a: 'b' } } },
    type: merge,
  })
  t.is(labelled.metadata.generation, 2)
})

test('a status that breaks its schema is refused', async (t) => {
  await create(l3vni('badstatus'))
  const body = { status: { conditions: [{ type: 'Ready', status: 'Maybe' }] } }
  const answer = await cluster.client.call('PATCH', `${root}/l3vnis/badstatus/status`, { body, type: merge })
  t.is(answer.status, 422)
  const fields = (answer.body.details.causes as { field: string }[]).map(({ field }) => field)
  for (const field of ['reason', 'message', 'lastTransitionTime', 'status'])
    t.true(fields.includes(`status.conditions[0].${field}`), field)
})

test('JSON patches: a test that fails refuses the whole', async (t) => {
  await create(l3vni('patched'))
  const type = 'application/json-patch+json'
  const patch = (...body: object[]) => cluster.client.call('PATCH', `${root}/l3vnis/patched`, { body, type })
  t.is(
    (await patch({ op: 'test', path: '/spec/vni', value: 2 }, { op: 'replace', path: '/spec/vni', value: 3 })).status,
    422,
  )
  t.is((await read('patched'))['spec'].vni, 1)
  const done = await patch(
    { op: 'test', path: '/spec/vni', value: 1 },
    { op: 'add', path: '/metadata/labels', value: { a: 'b' } },
  )
  t.deepEqual([done.status, done.body.metadata.labels], [200, { a: 'b' }])
})

test('a kind with a CRD has no strategic merge patch', async (t) => {
  await create(l3vni('strategic'))
  const type = 'application/strategic-merge-patch+json'
  t.is((await cluster.client.call('PATCH', `${root}/l3vnis/strategic`, { body: {}, type })).status, 415)
})

test('apply creates, then changes what is applied and removes what is no longer', async (t) => {
  const [made] = await cluster.client.apply(
    l3vni('applied', { mtu: 9000 }, { labels: { a: '1', b: '2' } }),
    'fieldManager=one',
  )
  t.deepEqual(
    made?.metadata.managedFields?.map(({ manager, operation }) => [manager, operation]),
    [['one', 'Apply']],
  )
  const [changed] = await cluster.client.apply(l3vni('applied', { vni: 9 }, { labels: { a: '3' } }), 'fieldManager=one')
  t.deepEqual(changed?.metadata.labels, { a: '3' })
  t.deepEqual([changed?.['spec'].vni, changed?.['spec'].mtu, changed?.metadata.generation], [9, undefined, 2])
  const [same] = await cluster.client.apply(l3vni('applied', { vni: 9 }, { labels: { a: '3' } }), 'fieldManager=one')
  t.is(same?.metadata.resourceVersion, changed?.metadata.resourceVersion)
})

test('apply needs a field manager', async (t) => {
  const { status, body } = await cluster.client.call('PATCH', `${root}/l3vnis/unmanaged`, {
    body: l3vni('unmanaged'),
    type: 'application/apply-patch+yaml',
  })
  t.is(status, 400)
  t.regex(body.message, /fieldManager/)
})

test('a field of another manager is a conflict that names both, unless it is forced', async (t) => {
  const name = 'contested'
  await cluster.client.apply(configMap(name, { key: 'a', other: 'x' }), 'fieldManager=one')
  const { status, body } = await cluster.client.call('PATCH', `${maps}/${name}?fieldManager=two`, {
    body: configMap(name, { key: 'b' }),
    type: 'application/apply-patch+yaml',
  })
  t.is(status, 409)
  t.is(body.message, 'Apply failed with 1 conflict: conflict with "one" using v1: .data.key')
  t.deepEqual(body.details.causes, [
    { reason: 'FieldManagerConflict', message: 'conflict with "one" using v1', field: '.data.key' },
  ])
  await cluster.client.apply(configMap(name, { key: 'b' }), 'fieldManager=two&force=true')
  const [after] = await cluster.client.apply(configMap(name, { other: 'x' }), 'fieldManager=one')
  t.deepEqual(after?.['data'], { key: 'b', other: 'x' })
})

test('a value that two managers apply alike stays until both let go', async (t) => {
  const name = 'shared'
  await cluster.client.apply(configMap(name, { key: 'a' }), 'fieldManager=one')
  await cluster.client.apply(configMap(name, { key: 'a' }), 'fieldManager=two')
  const [kept] = await cluster.client.apply(configMap(name, {}), 'fieldManager=one')
  t.deepEqual(kept?.['data'], { key: 'a' })
  const [gone] = await cluster.client.apply(configMap(name, {}), 'fieldManager=two')
  t.deepEqual(gone?.['data'] ?? {}, {})
})

test('what a client patched by hand, an apply does not take away', async (t) => {
  const name = 'by-hand'
  await cluster.client.apply(configMap(name, { key: 'a' }), 'fieldManager=one')
  await cluster.client.ask('PATCH', `${maps}/${name}?fieldManager=hand`, { body: { data: { mine: 'b' } }, type: merge })
  const [after] = await cluster.client.apply(configMap(name, { key: 'c' }), 'fieldManager=one')
  t.deepEqual(after?.['data'], { key: 'c', mine: 'b' })
  const update = after?.metadata.managedFields?.find(({ manager }) => manager === 'hand')
  t.deepEqual([update?.operation, update?.fieldsV1], ['Update', { 'f:data': { 'f:mine': {} } }])
})

test('conditions of one list belong to several managers, each by its type', async (t) => {
  await create(l3vni('conditions'))
  const apply = (manager: string, conditions: object[]) =>
    cluster.client.applyOne(
      { apiVersion: 'nodeleaf.io/v1alpha1', kind: 'L3VNI', metadata: { name: 'conditions' }, status: { conditions } },
      `fieldManager=${manager}`,
      '/status',
    )
  await apply('one', [ready('True')])
  const both = await apply('two', [ready('False', { type: 'Accepted' })])
  t.deepEqual((both['status'].conditions as { type: string }[]).map(({ type }) => type).sort(), ['Accepted', 'Ready'])
  const less = await apply('one', [])
  t.deepEqual(
    (less['status'].conditions as { type: string }[]).map(({ type }) => type),
    ['Accepted'],
  )
})

test('a list comes in pages that all show the same moment', async (t) => {
  for (const name of ['page-a', 'page-b', 'page-c']) await create(l3vni(name, {}, { labels: { suite: 'pages' } }))
  const query = 'labelSelector=suite%3Dpages&limit=2'
  const first = await cluster.client.ask('GET', `${root}/l3vnis?${query}`)
  t.deepEqual(
    (first['items'] as KubeObject[]).map(({ metadata }) => metadata.name),
    ['page-a', 'page-b'],
  )
  await cluster.client.ask('DELETE', `${root}/l3vnis/page-c`)
  const { continue: next, resourceVersion } = first.metadata as unknown as { continue: string; resourceVersion: string }
  const second = await cluster.client.ask('GET', `${root}/l3vnis?${query}&continue=${encodeURIComponent(next)}`)
  t.deepEqual(
    (second['items'] as KubeObject[]).map(({ metadata }) => metadata.name),
    ['page-c'],
  )
  t.is(second.metadata.resourceVersion, resourceVersion)
  t.is((second.metadata as { continue?: string }).continue ?? '', '')
})

test('selectors choose by label and by name', async (t) => {
  for (const rack of ['1', '2', '3']) await addNode(cluster.client, `selected-${rack}`, { rack, suite: 'select' })
  const names = async (query: string): Promise<string[]> => {
    const list = await cluster.client.ask('GET', `/api/v1/nodes?${query}`)
    return (list['items'] as KubeObject[]).map(({ metadata }) => metadata.name)
  }
  const select = (text: string): string => `labelSelector=${encodeURIComponent(`suite=select,${text}`)}`
  t.deepEqual(await names(select('rack in (1,3)')), ['selected-1', 'selected-3'])
  t.deepEqual(await names(select('rack notin (1),rack!=2')), ['selected-3'])
  t.deepEqual(await names(select('!rack')), [])
  t.deepEqual(await names('fieldSelector=metadata.name%3Dselected-2'), ['selected-2'])
})

test('a watch from a list on misses nothing and tells what happened in order', async (t) => {
  const query = 'labelSelector=suite%3Dwatch'
  const labels = { labels: { suite: 'watch' } }
  const list = await cluster.client.ask('GET', `${root}/l3vnis?${query}`)
  await create(l3vni('watched', {}, labels))
  await cluster.client.ask('PATCH', `${root}/l3vnis/watched`, { body: { spec: { vni: 2 } }, type: merge })
  const deletion = await cluster.client.ask('DELETE', `${root}/l3vnis/watched`)
  t.is(deletion['status'], 'Success')
  const path = `${root}/l3vnis?${query}&resourceVersion=${list.metadata.resourceVersion}`
  const all = await watched(path, ({ type }) => type === 'DELETED')
  t.deepEqual(
    all.map(({ type, object }) => [type, object['spec'].vni]),
    [
      ['ADDED', 1],
      ['MODIFIED', 2],
      ['DELETED', 2],
    ],
  )
  const versions = all.map(({ object }) => Number(object.metadata.resourceVersion))
  t.deepEqual(
    versions,
    versions.toSorted((a, b) => a - b),
  )
  t.is(new Set(versions).size, 3)
})

test('an object that comes into a selection is added, one that leaves it is deleted', async (t) => {
  const list = await cluster.client.ask('GET', `${root}/l3vnis`)
  await create(l3vni('moves'))
  const label = (value: string | null) =>
    cluster.client.ask('PATCH', `${root}/l3vnis/moves`, {
      body: { metadata: { labels: { moves: value } } },
      type: merge,
    })
  await label('in')
  await label(null)
  const path = `${root}/l3vnis?labelSelector=moves%3Din&resourceVersion=${list.metadata.resourceVersion}`
  const all = await watched(path, ({ type }) => type === 'DELETED')
  t.deepEqual(
    all.map(({ type }) => type),
    ['ADDED', 'DELETED'],
  )
})

test('one object can be watched by its name alone', async (t) => {
  const list = await cluster.client.ask('GET', maps)
  await cluster.client.apply([configMap('not-me', {}), configMap('me', {})], 'fieldManager=one')
  const path = `${maps}?fieldSelector=metadata.name%3Dme&resourceVersion=${list.metadata.resourceVersion}`
  const [event] = await watched(path, () => true)
  t.is(event?.object.metadata.name, 'me')
})

test('a watch ends after its timeout, with a bookmark for those who want one', async (t) => {
  const list = await cluster.client.ask('GET', `${root}/l2vnis`)
  const path = `${root}/l2vnis?timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}`
  const all = await watched(path, () => false)
  const bookmark = all.find(({ type }) => type === 'BOOKMARK')
  if (cluster.memory) t.true(Number(bookmark?.object.metadata.resourceVersion) >= Number(list.metadata.resourceVersion))
  t.true(all.every(({ type }) => type === 'BOOKMARK'))
})

test('finalizers hold an object that is deleted, until the last is gone', async (t) => {
  await create(l3vni('held', {}, { finalizers: ['nodeleaf.io/test'] }))
  await cluster.client.ask('DELETE', `${root}/l3vnis/held`)
  const held = await read('held')
  t.regex(held.metadata.deletionTimestamp ?? '', /^\d{4}/)
  await cluster.client.ask('PATCH', `${root}/l3vnis/held`, { body: { metadata: { finalizers: [] } }, type: merge })
  await eventually('it is gone', async () => (await cluster.client.call('GET', `${root}/l3vnis/held`)).status === 404)
})

test('a deletion can be bound to a uid', async (t) => {
  await create(l3vni('precious'))
  const body = {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    preconditions: { uid: '00000000-0000-0000-0000-000000000000' },
  }
  const { status } = await cluster.client.call('DELETE', `${root}/l3vnis/precious`, { body })
  t.is(status, 409)
  t.is((await read('precious')).metadata.name, 'precious')
})

test('a Lease takes micro times only, and refuses to be taken twice', async (t) => {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
  const lease = (renewTime: string): KubeObject => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'leader' },
    spec: { holderIdentity: 'one', leaseDurationSeconds: 10, renewTime },
  })
  t.is((await cluster.client.call('POST', leases, { body: lease('2026-01-01T00:00:00Z') })).status, 400)
  const made = await cluster.client.ask('POST', leases, { body: lease('2026-01-01T00:00:00.000000Z') })
  const take = (holderIdentity: string) =>
    cluster.client.call('PUT', `${leases}/leader`, { body: { ...made, spec: { ...made['spec'], holderIdentity } } })
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
  const made = await cluster.client.ask('POST', leases, { body: lease })
  await cluster.client.ask('DELETE', `${leases}/gone`)
  t.is((await cluster.client.call('PUT', `${leases}/gone`, { body: made })).status, 409)
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
    cluster.client.call('POST', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, { body })
  t.is((await post('kube-public', event('kube-public'))).status, 422)
  t.is((await post('default', { ...event('default'), action: undefined })).status, 422)
  t.is((await post('default', event('default'))).status, 201)
})

test('a token names its account, its audience and the node it is bound to; another audience is refused', async (t) => {
  await addNode(cluster.client, 'bound-node')
  const token = await tokenFor(cluster.client, 'nodeleaf-agent', { audiences: ['nodeleaf'], node: 'bound-node' })
  const review = async (text: string, audiences: string[]): Promise<KubeObject['status']> => {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: text, audiences } }
    return (await cluster.client.ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body }))['status']
  }
  const good = await review(token, ['nodeleaf'])
  t.true(good.authenticated)
  t.is(good.user.username, 'system:serviceaccount:nodeleaf-system:nodeleaf-agent')
  t.deepEqual(good.user.extra['authentication.kubernetes.io/node-name'], ['bound-node'])
  t.deepEqual(good.user.extra['authentication.kubernetes.io/pod-name'], ['nodeleaf-agent-bound-node'])
  t.deepEqual(good.audiences, ['nodeleaf'])
  t.falsy((await review(token, ['another'])).authenticated)
  t.falsy((await review(`${token.slice(0, -8)}AAAAAAAA`, ['nodeleaf'])).authenticated)
  await cluster.client.ask(
    'DELETE',
    '/api/v1/namespaces/nodeleaf-system/pods/nodeleaf-agent-bound-node?gracePeriodSeconds=0',
  )
  await eventually('a token dies with its Pod', async () => (await review(token, ['nodeleaf'])).authenticated !== true)
})

test('without a role an account may do nothing, with one what it says, by name where it names', async (t) => {
  const token = await tokenFor(cluster.client, 'limited')
  const call = (path: string) => cluster.client.call('GET', path, {}, token)
  const denied = await call(`${root}/l3vnis`)
  t.is(denied.status, 403)
  t.is(
    denied.body.message,
    'l3vnis.nodeleaf.io is forbidden: User "system:serviceaccount:nodeleaf-system:limited" cannot list resource "l3vnis" in API group "nodeleaf.io" at the cluster scope',
  )
  await cluster.client.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: limited}
rules:
  - {apiGroups: [nodeleaf.io], resources: [l3vnis], verbs: [list, watch]}
  - {apiGroups: [''], resources: [configmaps], resourceNames: [only], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: limited}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: limited}
subjects: [{kind: ServiceAccount, name: limited, namespace: nodeleaf-system}]
`)
  await eventually('the role counts', async () => (await call(`${root}/l3vnis`)).status === 200)
  t.is((await call(`${root}/l3vnis/any`)).status, 403)
  t.is((await call(maps)).status, 403)
  t.is((await call(`${maps}?fieldSelector=metadata.name%3Donly`)).status, 200)
  t.is((await call(`${maps}?fieldSelector=metadata.name%3Dother`)).status, 403)
})

test('nobody in particular is nobody', async (t) => {
  t.is((await cluster.client.call('GET', `${root}/l3vnis`, {}, 'no such token')).status, 401)
})
