/** Server-side apply as nodeleaf relies on it: who owns which field. The same holds for the real API server and the one in memory. */
import test from 'ava'
import { apiSuite, configMap, l3vni, maps, merge, ready } from './api-suite.ts'
import { root } from './objects.ts'

const api = apiSuite()

test('apply creates, then changes what is applied and removes what is no longer', async (t) => {
  const [made] = await api.client.apply(
    l3vni('applied', { mtu: 9000 }, { labels: { a: '1', b: '2' } }),
    'fieldManager=one',
  )
  t.deepEqual(
    made?.metadata.managedFields?.map(({ manager, operation }) => [manager, operation]),
    [['one', 'Apply']],
  )
  const [changed] = await api.client.apply(l3vni('applied', { vni: 9 }, { labels: { a: '3' } }), 'fieldManager=one')
  t.deepEqual(changed?.metadata.labels, { a: '3' })
  t.deepEqual([changed?.['spec'].vni, changed?.['spec'].mtu, changed?.metadata.generation], [9, undefined, 2])
  const [same] = await api.client.apply(l3vni('applied', { vni: 9 }, { labels: { a: '3' } }), 'fieldManager=one')
  t.is(same?.metadata.resourceVersion, changed?.metadata.resourceVersion)
})

test('apply needs a field manager', async (t) => {
  const { status, body } = await api.client.call('PATCH', `${root}/l3vnis/unmanaged`, {
    body: l3vni('unmanaged'),
    type: 'application/apply-patch+yaml',
  })
  t.is(status, 400)
  t.regex(body.message, /fieldManager/)
})

test('a field of another manager is a conflict that names both, unless it is forced', async (t) => {
  const name = 'contested'
  await api.client.apply(configMap(name, { key: 'a', other: 'x' }), 'fieldManager=one')
  const { status, body } = await api.client.call('PATCH', `${maps}/${name}?fieldManager=two`, {
    body: configMap(name, { key: 'b' }),
    type: 'application/apply-patch+yaml',
  })
  t.is(status, 409)
  t.is(body.message, 'Apply failed with 1 conflict: conflict with "one" using v1: .data.key')
  t.deepEqual(body.details.causes, [
    { reason: 'FieldManagerConflict', message: 'conflict with "one" using v1', field: '.data.key' },
  ])
  await api.client.apply(configMap(name, { key: 'b' }), 'fieldManager=two&force=true')
  const [after] = await api.client.apply(configMap(name, { other: 'x' }), 'fieldManager=one')
  t.deepEqual(after?.['data'], { key: 'b', other: 'x' })
})

test('a value that two managers apply alike stays until both let go', async (t) => {
  const name = 'shared'
  await api.client.apply(configMap(name, { key: 'a' }), 'fieldManager=one')
  await api.client.apply(configMap(name, { key: 'a' }), 'fieldManager=two')
  const [kept] = await api.client.apply(configMap(name, {}), 'fieldManager=one')
  t.deepEqual(kept?.['data'], { key: 'a' })
  const [gone] = await api.client.apply(configMap(name, {}), 'fieldManager=two')
  t.deepEqual(gone?.['data'] ?? {}, {})
})

test('what a client patched by hand, an apply does not take away', async (t) => {
  const name = 'by-hand'
  await api.client.apply(configMap(name, { key: 'a' }), 'fieldManager=one')
  await api.client.ask('PATCH', `${maps}/${name}?fieldManager=hand`, { body: { data: { mine: 'b' } }, type: merge })
  const [after] = await api.client.apply(configMap(name, { key: 'c' }), 'fieldManager=one')
  t.deepEqual(after?.['data'], { key: 'c', mine: 'b' })
  const update = after?.metadata.managedFields?.find(({ manager }) => manager === 'hand')
  t.deepEqual([update?.operation, update?.fieldsV1], ['Update', { 'f:data': { 'f:mine': {} } }])
})

test('conditions of one list belong to several managers, each by its type', async (t) => {
  await api.create(l3vni('conditions'))
  const apply = (manager: string, conditions: object[]) =>
    api.client.applyOne(
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
