/** Who may do what at an API server: the same holds for the real one and for the one in memory. */
import test from 'ava'
import { apiSuite, maps } from './api-suite.ts'
import type { KubeObject } from './client.ts'
import { addNode, eventually, tokenFor } from './cluster.ts'
import { root } from './objects.ts'

const api = apiSuite()

test('a token names its account, its audience and the node it is bound to; another audience is refused', async (t) => {
  await addNode(api.client, 'bound-node')
  const token = await tokenFor(api.client, 'nodeleaf-agent', { audiences: ['nodeleaf'], node: 'bound-node' })
  const review = async (text: string, audiences: string[]): Promise<KubeObject['status']> => {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: text, audiences } }
    return (await api.client.ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { body }))['status']
  }
  const good = await review(token, ['nodeleaf'])
  t.true(good.authenticated)
  t.is(good.user.username, 'system:serviceaccount:nodeleaf-system:nodeleaf-agent')
  t.deepEqual(good.user.extra['authentication.kubernetes.io/node-name'], ['bound-node'])
  t.deepEqual(good.user.extra['authentication.kubernetes.io/pod-name'], ['nodeleaf-agent-bound-node'])
  t.deepEqual(good.audiences, ['nodeleaf'])
  t.falsy((await review(token, ['another'])).authenticated)
  t.falsy((await review(`${token.slice(0, -8)}AAAAAAAA`, ['nodeleaf'])).authenticated)
  await api.client.ask(
    'DELETE',
    '/api/v1/namespaces/nodeleaf-system/pods/nodeleaf-agent-bound-node?gracePeriodSeconds=0',
  )
  await eventually('a token dies with its Pod', async () => (await review(token, ['nodeleaf'])).authenticated !== true)
})

test('without a role an account may do nothing, with one what it says, by name where it names', async (t) => {
  const token = await tokenFor(api.client, 'limited')
  const call = (path: string) => api.client.call('GET', path, {}, token)
  const denied = await call(`${root}/l3vnis`)
  t.is(denied.status, 403)
  t.is(
    denied.body.message,
    'l3vnis.nodeleaf.io is forbidden: User "system:serviceaccount:nodeleaf-system:limited" cannot list resource "l3vnis" in API group "nodeleaf.io" at the cluster scope',
  )
  await api.client.apply(`
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
  t.is((await api.client.call('GET', `${root}/l3vnis`, {}, 'no such token')).status, 401)
})
