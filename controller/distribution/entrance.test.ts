import { create } from '@bufbuild/protobuf'
import test, { type ExecutionContext } from 'ava'
import { status } from '@grpc/grpc-js'
import { createAuthority, issueClient, issueServing } from '../tls/authority.ts'
import { clientCertificate } from './client-certificate.ts'
import { either } from './either.ts'
import type { Authenticator, Leadership } from './ports.ts'
import { HelloSchema } from '../../api/wire/generated/distribution_pb.ts'
import { FakeVersion, LIFE_MS, piece, stage, until } from './stage.ts'
import { tokenReview, type TokenReviewStatus } from './token-review.ts'

const secret = new FakeVersion('n1', 'r1', [piece('router', 'the password of n1')])

/** A JWT with these claims; the fake API server looks at nothing but them. */
const jwt = (claims: object): string =>
  ['{}', JSON.stringify(claims), 'signature'].map((part) => Buffer.from(part).toString('base64url')).join('.')

const nowS = Math.floor(Date.now() / 1000)
const good = {
  exp: nowS + 600,
  aud: ['nodeleaf'],
  node: 'n1',
  sub: 'system:serviceaccount:nodeleaf-system:nodeleaf-agent',
}

/** As the API server answers a TokenReview. */
async function review(token: string, audiences: readonly string[]): Promise<TokenReviewStatus> {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}') as Partial<
    typeof good
  >
  const shared = audiences.filter((each) => claims.aud?.includes(each))
  if (!claims.sub || (claims.exp ?? 0) * 1000 < Date.now() || shared.length === 0)
    return { authenticated: false, error: `[invalid bearer token ${token}]` }
  return {
    authenticated: true,
    audiences: shared,
    user: { username: claims.sub, extra: { 'authentication.kubernetes.io/node-name': [claims.node ?? ''] } },
  }
}

const tokens: Authenticator = tokenReview({
  namespace: 'nodeleaf-system',
  api: { review, pod: async () => undefined },
})

async function kubernetesStage(t: ExecutionContext) {
  const made = await stage(t, { authenticator: either(clientCertificate(), tokens) })
  made.plans.set('n1', secret)
  return made
}

const forged: readonly (readonly [string, string | undefined, number, string])[] = [
  ['no token', undefined, status.UNAUTHENTICATED, 'NoToken'],
  ['a token that is none', 'hello', status.UNAUTHENTICATED, 'TokenRejected'],
  ["another node's token", jwt({ ...good, node: 'n2' }), status.PERMISSION_DENIED, 'OtherNode'],
  ['an expired token', jwt({ ...good, exp: nowS - 10 }), status.UNAUTHENTICATED, 'TokenExpired'],
  ['a token for another audience', jwt({ ...good, aud: ['api'] }), status.UNAUTHENTICATED, 'WrongAudience'],
  [
    'a token of another ServiceAccount',
    jwt({ ...good, sub: 'system:serviceaccount:default:nodeleaf-agent' }),
    status.UNAUTHENTICATED,
    'WrongServiceAccount',
  ],
  ['a token that is bound to no node', jwt({ ...good, node: '' }), status.UNAUTHENTICATED, 'NotNodeBound'],
]

for (const [what, token, code, reason] of forged) {
  test(`${what} gets nothing, is counted and logged without the token`, async (t) => {
    const { dial, events, metric, log } = await kubernetesStage(t)
    let heard = 0
    const agent = dial('n1', { token, onMessage: () => heard++ })
    t.is((await agent.ended).code, code)
    t.is(heard, 0)
    t.deepEqual(events, [])
    t.is(await metric('nodeleaf_agents_refused_total', { reason }), 1)
    t.true(log.some((line) => line.includes(`reason=${reason}`)))
    t.false(log.some((line) => token !== undefined && token.length > 10 && line.includes(token)))
    t.false((await agent.ended).details.includes(token ?? 'nothing at all'))
  })
}

test('the right token gets the plan', async (t) => {
  const { dial, events } = await kubernetesStage(t)
  const agent = dial('n1', { token: jwt(good) })
  await until(() => events.includes('acknowledged n1 r1'), 'acknowledged')
  t.deepEqual([...agent.pieces.keys()], ['router'])
})

test('the right certificate gets the plan, without any token', async (t) => {
  const { dial, events, authority } = await kubernetesStage(t)
  const certificate = await issueClient(authority, 'n1', Date.now(), LIFE_MS)
  const agent = dial('n1', { token: undefined, certificate })
  await until(() => events.includes('acknowledged n1 r1'), 'acknowledged')
  t.deepEqual([...agent.pieces.keys()], ['router'])
})

test("another node's certificate gets nothing, even with a token of the node beside it", async (t) => {
  const { dial, events, authority } = await kubernetesStage(t)
  const certificate = await issueClient(authority, 'n2', Date.now(), LIFE_MS)
  t.is((await dial('n1', { token: jwt(good), certificate }).ended).code, status.PERMISSION_DENIED)
  t.deepEqual(events, [])
})

test('a certificate of another CA counts as none', async (t) => {
  const { dial, events } = await kubernetesStage(t)
  const other = await createAuthority(Date.now(), LIFE_MS)
  const certificate = await issueClient(other, 'n1', Date.now(), LIFE_MS)
  t.is((await dial('n1', { token: undefined, certificate }).ended).code, status.UNAUTHENTICATED)
  t.deepEqual(events, [])
})

test('a certificate that the CA signed for a server counts as none', async (t) => {
  const { dial, events, authority } = await kubernetesStage(t)
  const certificate = await issueServing(authority, { dns: ['n1'], addresses: [] }, Date.now(), LIFE_MS)
  t.is((await dial('n1', { token: undefined, certificate }).ended).code, status.UNAUTHENTICATED)
  t.deepEqual(events, [])
})

test('while the API server cannot say who calls, the agent is to come again', async (t) => {
  const down: Authenticator = {
    identify: async () => {
      throw new Error('the API server is away')
    },
  }
  const { dial, plans, events, metric } = await stage(t, { authenticator: down })
  plans.set('n1', secret)
  t.is((await dial('n1').ended).code, status.UNAVAILABLE)
  t.deepEqual(events, [])
  t.is(await metric('nodeleaf_agents_refused_total', { reason: 'IdentityUnknown' }), 1)
})

test('an API server that hangs holds an agent up for a bounded time', async (t) => {
  const hangs: Authenticator = { identify: () => new Promise(() => {}) }
  const { dial } = await stage(t, { authenticator: hangs, bounds: { identifyMs: 50 } })
  t.is((await dial('n1').ended).code, status.UNAVAILABLE)
})

test('a replica that does not lead names the one that does, but not to strangers', async (t) => {
  const leadership = (): Leadership => ({ leads: false, leader: '192.0.2.7:7443' })
  const { dial, events, log } = await stage(t, { leadership })
  const known = await dial('n1').ended
  t.deepEqual([known.code, known.leader], [status.UNAVAILABLE, '192.0.2.7:7443'])
  const stranger = await dial('n1', { token: 'nonsense' }).ended
  t.deepEqual([stranger.code, stranger.leader], [status.UNAUTHENTICATED, undefined])
  t.false(stranger.details.includes('192.0.2.7'))
  t.deepEqual(events, [])
  t.is(log.filter((line) => line.includes('NotLeading')).length, 0)
})

test('an agent of a version that is not spoken here is told which one is', async (t) => {
  const { dial, events } = await stage(t)
  const { code, details } = await dial('n1', { planVersions: ['v7'] }).ended
  t.is(code, status.FAILED_PRECONDITION)
  t.regex(details, /v1alpha1.*v7/)
  t.deepEqual(events, [])
})

test('an agent that does not say hello is ended', async (t) => {
  const { dial } = await stage(t, { bounds: { helloMs: 100 } })
  const agent = dial('n1', { hello: false })
  t.is((await agent.ended).code, status.DEADLINE_EXCEEDED)
})

test('an agent that says something else first is ended', async (t) => {
  const { dial, plans, events } = await stage(t)
  plans.set('n1', secret)
  const agent = dial('n1', { hello: false })
  agent.acknowledge({ revision: 'r1' })
  t.is((await agent.ended).code, status.INVALID_ARGUMENT)
  t.deepEqual(events, [])
})

test('an agent with labels without end is refused, and told what to do', async (t) => {
  const { dial, events } = await stage(t)
  const agent = dial('n1', { hello: false })
  const labels = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`k${at}`, '']))
  agent.send({ case: 'hello', value: create(HelloSchema, { node: 'n1', planVersions: ['v1alpha1'], labels }) })
  const { code, details } = await agent.ended
  t.is(code, status.INVALID_ARGUMENT)
  t.regex(details, /100000 labels.*node file/)
  t.deepEqual(events, [])
})

test('refusals are logged once a minute and peer', async (t) => {
  let now = 1_000_000
  const { dial, log, metric } = await stage(t, { now: () => now })
  const lines = () => log.filter((line) => line.includes('refused'))
  for (let time = 0; time < 5; time++) await dial('n1', { token: 'nonsense' }).ended
  t.is(lines().length, 1)
  now += 61_000
  await dial('n1', { token: 'nonsense' }).ended
  t.is(lines().length, 2)
  t.regex(lines()[1] ?? '', /refusedSinceLastLine=4/)
  t.is(await metric('nodeleaf_agents_refused_total', { reason: 'NoToken' }), 6)
})
