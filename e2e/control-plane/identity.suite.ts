/** Which node an agent is of: by a token that the API server vouches for, and by nothing else. */
import { create } from '@bufbuild/protobuf'
import test from 'ava'
import { AgentMessageSchema } from '../../api/wire/generated/distribution_pb.ts'
import { SimulatedAgent, type StreamEnd } from '../peers/simulated-agent.ts'
import { addNode, eventually, tokenFor } from './cluster.ts'
import { l2vni, namespace, underlay } from './objects.ts'
import { sampleOf, type Replica } from './replica.ts'
import type { Scene } from './stage.ts'
import { stageSuite } from './stage-suite.ts'

const stage = stageSuite()

const UNAUTHENTICATED = 16
const PERMISSION_DENIED = 7

async function begin(it: Scene): Promise<Replica> {
  await it.nodes('node1', 'node2')
  await it.apply(underlay(), l2vni('web', 110))
  const replica = await it.replica()
  await it.logged(replica, 'msg=leading ')
  return replica
}

/** An agent that says it is of `node`; ends when the controller ends it, or after it had its plan. */
async function knock(
  it: Scene,
  replica: Replica,
  node: string,
  token: string | undefined,
): Promise<{ end: StreamEnd | undefined; had: number }> {
  const ca = await it.trusted()
  using agent = new SimulatedAgent({
    controller: `127.0.0.1:${replica.port}`,
    ca,
    serverName: 'nodeleaf-controller',
    node,
    token,
  })
  let end: StreamEnd | undefined
  void agent.ended.then((ended) => (end = ended))
  await eventually('it is refused or served', () => end !== undefined || agent.updates.length > 0)
  return { end, had: agent.updates.length }
}

test.serial('its own token, and it gets its plan', async (t) => {
  const it = await stage().scene(t)
  const replica = await begin(it)
  const { end, had } = await knock(it, replica, 'node1', await it.stage.tokenOf('node1'))
  t.deepEqual([end, had], [undefined, 1])
})

const nobody = 'eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06bm9kZTpub2RlMSJ9.c2lnbmF0dXJl'
type Forged = readonly [
  what: string,
  token: (it: Scene) => string | undefined | Promise<string | undefined>,
  code: number,
  reason: string,
]
const audiences = ['nodeleaf']
const forged: readonly Forged[] = [
  ['no token', () => undefined, UNAUTHENTICATED, 'NoToken'],
  ['a word', () => 'letmein', UNAUTHENTICATED, 'TokenRejected'],
  ['a token that nobody signed', () => nobody, UNAUTHENTICATED, 'TokenRejected'],
  [
    'a token whose claims were changed',
    async (it) => forgedNode(await it.stage.tokenOf('node2')),
    UNAUTHENTICATED,
    'TokenRejected',
  ],
  ['the administrator of the cluster', (it) => it.cluster.adminToken, UNAUTHENTICATED, '*'],
  ['the token of another node', (it) => it.stage.tokenOf('node2'), PERMISSION_DENIED, 'OtherNode'],
  [
    'a token for another audience',
    (it) => tokenFor(it.cluster.client, 'nodeleaf-agent', { node: 'node1', audiences: ['vault'] }),
    UNAUTHENTICATED,
    'WrongAudience',
  ],
  [
    'a token for the API server',
    (it) => tokenFor(it.cluster.client, 'nodeleaf-agent', { node: 'node1' }),
    UNAUTHENTICATED,
    'WrongAudience',
  ],
  [
    'a token of another account of the namespace',
    (it) => tokenFor(it.cluster.client, 'nodeleaf-frr', { node: 'node1', audiences }),
    UNAUTHENTICATED,
    'WrongServiceAccount',
  ],
  [
    'a token of the same account in another namespace',
    (it) => tokenFor(it.cluster.client, 'nodeleaf-agent', { namespace: 'default', node: 'node1', audiences }),
    UNAUTHENTICATED,
    'WrongServiceAccount',
  ],
  [
    'a token that is bound to no Pod',
    (it) => tokenFor(it.cluster.client, 'nodeleaf-agent', { audiences }),
    UNAUTHENTICATED,
    'NotNodeBound',
  ],
]

/** As a JWT (RFC 7519) with another node in it, under the old signature. */
function forgedNode(token: string): string {
  const [head, claims = '', signature] = token.split('.')
  const text = Buffer.from(claims, 'base64url').toString().replaceAll('node2', 'node1')
  return [head, Buffer.from(text).toString('base64url'), signature].join('.')
}

for (const [what, token, code, reason] of forged)
  test.serial(`${what}: refused, counted, and the log says why without the token`, async (t) => {
    const it = await stage().scene(t)
    const replica = await begin(it)
    const given = await token(it)
    const { end, had } = await knock(it, replica, 'node1', given)
    t.deepEqual([end?.code, had], [code, 0])
    const text = await replica.metrics()
    t.is(sampleOf(text, 'nodeleaf_agents_refused_total', reason === '*' ? {} : { reason }), 1)
    const line = await it.logged(replica, 'an agent is refused')
    if (reason !== '*') t.true(line.includes(`reason=${reason}`), line)
    if (given !== undefined) t.false(`${replica.log.join('\n')}${text}${end?.details ?? ''}`.includes(given))
  })

test.serial(
  'when the Pod is gone its token is worth nothing, and that of its successor on another node is',
  async (t) => {
    const it = await stage().scene(t)
    const replica = await begin(it)
    const { client } = it.cluster
    await addNode(client, 'node7')
    const old = await tokenFor(client, 'nodeleaf-agent', { node: 'node7', audiences })
    const pod = `/api/v1/namespaces/${namespace}/pods/nodeleaf-agent-node7`
    await client.ask('DELETE', `${pod}?gracePeriodSeconds=0`)
    await eventually('the Pod is gone', async () => (await client.call('GET', pod)).status === 404)
    const before = await knock(it, replica, 'node7', old)
    t.deepEqual([before.end?.code, before.had], [UNAUTHENTICATED, 0])
    await it.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'nodeleaf-agent-node7', namespace },
      spec: { serviceAccountName: 'nodeleaf-agent', nodeName: 'node2', containers: [{ name: 'main', image: 'none' }] },
    })
    const uid = (await it.get(pod)).metadata.uid
    const answer = await client.ask('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/nodeleaf-agent/token`, {
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences,
          expirationSeconds: 3600,
          boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'nodeleaf-agent-node7', uid },
        },
      },
    })
    const { token } = answer['status'] as { token: string }
    t.is((await knock(it, replica, 'node7', old)).end?.code, UNAUTHENTICATED)
    t.is((await knock(it, replica, 'node7', token)).end?.code, PERMISSION_DENIED)
    t.is((await knock(it, replica, 'node2', token)).end, undefined)
    await client.ask('DELETE', `${pod}?gracePeriodSeconds=0`)
  },
)

test.serial('what an agent says out of order, or as another node, ends its stream and nobody else’s', async (t) => {
  const it = await stage().scene(t)
  const replica = await begin(it)
  const good = await it.agent('node1')
  await eventually('it is served', () => good.pieces.has('segment/110'))
  const ca = await it.trusted()
  using rude = new SimulatedAgent({
    controller: `127.0.0.1:${replica.port}`,
    ca,
    serverName: 'nodeleaf-controller',
    node: 'node2',
    token: await it.stage.tokenOf('node2'),
    hello: false,
  })
  rude.send(create(AgentMessageSchema, { message: { case: 'acknowledgement', value: { revision: 'x' } } }).message)
  t.not((await rude.ended).code, 0)
  await it.apply(l2vni('db', 120))
  await eventually('the other is served', () => good.pieces.has('segment/120'))
  t.is(good.welcomes.length, 1)
})
