import test from 'ava'
import { tokenReview, type PodFacts, type TokenReviewStatus } from './token-review.ts'

const username = 'system:serviceaccount:nodeleaf-system:nodeleaf-agent'
const NOW_MS = 1_700_000_000_000
const jwt = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`
const token = jwt({ exp: NOW_MS / 1000 + 600, aud: ['nodeleaf'] })
const nodeName = { 'authentication.kubernetes.io/node-name': ['n1'] }
const podName = { 'authentication.kubernetes.io/pod-name': ['agent-x'], 'authentication.kubernetes.io/pod-uid': ['u1'] }
const signal = new AbortController().signal

function harness(status: TokenReviewStatus | Error, pod?: PodFacts | Error) {
  const calls: unknown[] = []
  let now = NOW_MS
  const authenticator = tokenReview({
    namespace: 'nodeleaf-system',
    now: () => now,
    api: {
      async review(asked, audiences) {
        calls.push(['review', asked, audiences])
        if (status instanceof Error) throw status
        return status
      },
      async pod(namespace, name) {
        calls.push(['pod', namespace, name])
        if (pod instanceof Error) throw pod
        return pod
      },
    },
  })
  return {
    calls,
    wait: (ms: number) => void (now += ms),
    ask: (text: string | undefined = token) =>
      authenticator.identify({ peer: '192.0.2.1:1', ...(text === undefined ? {} : { token: text }) }, signal),
    askWithout: () => authenticator.identify({ peer: '192.0.2.1:1' }, signal),
  }
}

const yes = (extra: Record<string, string[]>, more: Partial<TokenReviewStatus> = {}): TokenReviewStatus => ({
  authenticated: true,
  audiences: ['nodeleaf'],
  user: { username, extra },
  ...more,
})

test('the node is what the API server says of the token, until the token ends', async (t) => {
  const { ask, calls } = harness(yes(nodeName))
  t.deepEqual(await ask(), { type: 'node', node: 'n1', expiresAtMs: NOW_MS + 600_000 })
  t.deepEqual(calls, [['review', token, ['nodeleaf']]])
})

test('where the API server names the Pod only, the node is the one of that very Pod', async (t) => {
  const { ask, calls } = harness(yes(podName), { uid: 'u1', nodeName: 'n2' })
  t.like(await ask(), { type: 'node', node: 'n2' })
  t.deepEqual(calls[1], ['pod', 'nodeleaf-system', 'agent-x'])
  t.like(await harness(yes(podName), { uid: 'another', nodeName: 'n2' }).ask(), { reason: 'NotNodeBound' })
  t.like(await harness(yes(podName), { uid: 'u1' }).ask(), { reason: 'NotNodeBound' })
  t.like(await harness(yes(podName)).ask(), { reason: 'NotNodeBound' })
})

const refusals: readonly (readonly [string, TokenReviewStatus, string, string])[] = [
  ['not authenticated', { authenticated: false, error: 'bad signature' }, token, 'TokenRejected'],
  ['nothing said', {}, token, 'TokenRejected'],
  ['audiences not looked at', { authenticated: true, user: { username, extra: nodeName } }, token, 'WrongAudience'],
  ['another audience', yes(nodeName, { audiences: ['https://kubernetes'] }), token, 'WrongAudience'],
  [
    'another ServiceAccount',
    yes(nodeName, { user: { username: `${username}x`, extra: nodeName } }),
    token,
    'WrongServiceAccount',
  ],
  ['no user', yes(nodeName, { user: {} }), token, 'WrongServiceAccount'],
  ['no node', yes({}), token, 'NotNodeBound'],
  ['expired', { authenticated: false }, jwt({ exp: NOW_MS / 1000 - 1 }), 'TokenExpired'],
  ['expired, but let through', yes(nodeName), jwt({ exp: NOW_MS / 1000 - 1 }), 'TokenExpired'],
  ['for another audience', { authenticated: false }, jwt({ aud: 'vault' }), 'WrongAudience'],
  ['too long', yes(nodeName), 'x'.repeat(20_000), 'TokenRejected'],
]

for (const [what, status, text, reason] of refusals) {
  test(`refused: ${what}`, async (t) => t.like(await harness(status).ask(text), { type: 'refused', reason }))
}

test('no token is refused without a question', async (t) => {
  const { askWithout, calls } = harness(yes(nodeName))
  t.like(await askWithout(), { type: 'refused', reason: 'NoToken' })
  t.deepEqual(calls, [])
})

test('the token is not in what is said of it', async (t) => {
  const refused = await harness({ authenticated: false, error: `invalid: ${token}` }).ask()
  t.true(refused.type === 'refused' && refused.message.includes('invalid: ***'))
  t.false(JSON.stringify(refused).includes(token))
})

test('a good answer is believed for a minute, a bad one not at all', async (t) => {
  const good = harness(yes(nodeName))
  await good.ask()
  good.wait(59_000)
  t.like(await good.ask(), { node: 'n1' })
  t.is(good.calls.length, 1)
  good.wait(2000)
  await good.ask()
  t.is(good.calls.length, 2)
  const bad = harness({ authenticated: false })
  await bad.ask()
  await bad.ask()
  t.is(bad.calls.length, 2)
})

test('a good answer is not believed for longer than the token lives', async (t) => {
  const short = jwt({ exp: NOW_MS / 1000 + 5 })
  const { ask, wait } = harness(yes(nodeName))
  t.like(await ask(short), { node: 'n1' })
  wait(5001)
  t.like(await ask(short), { reason: 'TokenExpired' })
})

test('a token that is no JWT is looked at again after an hour', async (t) =>
  t.like(await harness(yes(nodeName)).ask('opaque'), { node: 'n1', expiresAtMs: NOW_MS + 3_600_000 }))

test('when the API server cannot be asked nobody is refused', async (t) => {
  await t.throwsAsync(harness(new Error('timeout')).ask(), { message: 'timeout' })
  await t.throwsAsync(harness(yes(podName), new Error('timeout')).ask(), { message: 'timeout' })
})
