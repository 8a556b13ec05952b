import test from 'ava'
import { allows } from '../access/rbac.ts'
import { jsonPath } from './json-path.ts'
import { requestInfo } from './route.ts'
import { age } from './table.ts'

const routes: readonly [string, string, object][] = [
  ['GET', '/api/v1/nodes', { verb: 'list', group: '', version: 'v1', plural: 'nodes' }],
  ['GET', '/api/v1/nodes?watch=1', { verb: 'watch' }],
  ['GET', '/api/v1/namespaces/a/secrets/b', { verb: 'get', namespace: 'a', plural: 'secrets', name: 'b' }],
  ['GET', '/api/v1/namespaces/a', { verb: 'get', plural: 'namespaces', name: 'a', namespace: undefined }],
  ['PUT', '/api/v1/namespaces/a/status', { verb: 'update', plural: 'namespaces', name: 'a', subresource: 'status' }],
  [
    'PATCH',
    '/apis/nodeleaf.io/v1alpha1/l3vnis/red/status',
    { verb: 'patch', group: 'nodeleaf.io', name: 'red', subresource: 'status' },
  ],
  [
    'POST',
    '/api/v1/namespaces/a/serviceaccounts/b/token',
    { verb: 'create', plural: 'serviceaccounts', name: 'b', subresource: 'token' },
  ],
  ['DELETE', '/api/v1/namespaces/a/pods', { verb: 'deletecollection', plural: 'pods', namespace: 'a' }],
  ['GET', '/api/v1/namespaces/a/secrets?fieldSelector=metadata.name%3Db&watch=true', { verb: 'watch', name: 'b' }],
  ['GET', '/version', { verb: 'get', plural: '' }],
]
for (const [method, url, expected] of routes)
  test(`${method} ${url} is understood`, (t) => {
    const info = requestInfo(method, url)
    for (const [key, value] of Object.entries(expected)) t.is(info[key as keyof typeof info], value, key)
  })

test('a rule allows what it names, and nothing else', (t) => {
  const rule = { apiGroups: ['nodeleaf.io'], resources: ['l3vnis', 'l3vnis/status'], verbs: ['get', 'patch'] }
  const may = (method: string, path: string, more: object = {}): boolean =>
    allows({ ...rule, ...more }, requestInfo(method, path))
  t.true(may('GET', '/apis/nodeleaf.io/v1alpha1/l3vnis/red'))
  t.true(may('PATCH', '/apis/nodeleaf.io/v1alpha1/l3vnis/red/status'))
  t.false(may('GET', '/apis/nodeleaf.io/v1alpha1/l3vnis'))
  t.false(may('GET', '/apis/nodeleaf.io/v1alpha1/l2vnis/red'))
  t.false(may('PATCH', '/apis/nodeleaf.io/v1alpha1/l3vnis/red/scale'))
  t.false(may('GET', '/apis/nodeleaf.io/v1alpha1/l3vnis/red', { resourceNames: ['blue'] }))
  t.true(may('GET', '/apis/nodeleaf.io/v1alpha1/l3vnis/red', { apiGroups: ['*'], resources: ['*'], verbs: ['*'] }))
})

test('printer columns find fields, items and conditions', (t) => {
  const object = {
    spec: { n: [{ name: 'a' }, { name: 'b' }] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  }
  t.deepEqual(jsonPath('.spec.n[*].name', object), ['a', 'b'])
  t.deepEqual(jsonPath('.spec.n[1].name', object), ['b'])
  t.deepEqual(jsonPath('.status.conditions[?(@.type=="Ready")].status', object), ['True'])
  t.deepEqual(jsonPath('.status.nothing.here', object), [])
  t.throws(() => jsonPath('.spec[?', object), { message: /no JSONPath/ })
})

test('ages are as kubectl prints them', (t) => {
  const ages = [5, 119, 120, 599, 605, 7200, 3600 * 7 + 60 * 5, 3600 * 30, 3600 * 24 * 3 + 3600, 3600 * 24 * 400].map(
    (s) => age(s * 1000),
  )
  t.deepEqual(ages, ['5s', '119s', '2m', '9m59s', '10m', '120m', '7h5m', '30h', '3d1h', '400d'])
})
