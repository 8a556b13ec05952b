import test from 'ava'
import * as fc from 'fast-check'
import { createAuthority, issueServing, signed, validityOf, type Authority } from './authority.ts'
import { clusterLifetimes, isDue, machineLifetimes, planRotation } from './rotation.ts'

const DAY = 86_400_000
const start = Date.parse('2026-01-01T00:00:00Z')
const YEAR = 365 * DAY

const made = (atDay: number): Promise<Authority> => createAuthority(start + atDay * DAY, YEAR)
const at = (day: number, ...authorities: Authority[]): string => {
  const plan = planRotation(authorities, start + day * DAY)
  const name = (each: Authority): string => 'abcdef'.charAt(authorities.indexOf(each))
  return `${plan.authorities.map(name).join('')}${plan.create ? '+' : ''} ${plan.signer ? name(plan.signer) : 'none'}`
}

test('the first authority signs at once', async (t) => {
  t.is(at(0), '+ none')
  t.is(at(0, await made(0)), 'a a')
})

test('at two thirds of its life there is a second one, which signs a month later; the first stays trusted to its end', async (t) => {
  const a = await made(0)
  t.is(at(243, a), 'a a')
  t.is(at(244, a), 'a+ a')
  const b = await made(244)
  t.is(at(244, a, b), 'ab a')
  t.is(at(273, a, b), 'ab a')
  t.is(at(275, b, a), 'ba a', 'in whatever order they come')
  t.is(at(275, a, b), 'ab b')
  t.is(at(364, a, b), 'ab b')
  t.is(at(366, a, b), 'b b')
})

test('after a long sleep the old one signs until its last day, and the new one after it', async (t) => {
  const [a, b] = [await made(0), await made(350)]
  t.is(at(350, a, b), 'ab a')
  t.is(at(364.5, a, b), 'ab b')
})

test('when all have expired there is a new one, which signs at once', async (t) => {
  const a = await made(0)
  t.is(at(400, a), '+ none')
  t.is(at(400, a, await made(400)), 'b b')
})

test('one that another clock dated in the future is trusted, and waits', async (t) => {
  const [a, b] = [await made(0), await made(1)]
  t.is(at(0, a, b), 'ab a')
})

test('when there is only one of the future, a clock went back: there is a new one now, and it signs', async (t) => {
  const future = await made(3000)
  t.is(at(0, future), 'a+ none')
  const now = await made(0)
  t.is(at(0, now, future), 'ab a')
  t.is(at(250, now, future, await made(250)), 'acb a')
})

for (const [name, lifetimes] of Object.entries({ clusterLifetimes, machineLifetimes }))
  test(`${name}: what an authority signs ends before it does`, (t) => {
    const quarter = lifetimes.authorityMs / 4
    t.true(lifetimes.servingMs <= quarter)
    t.true(lifetimes.clientMs <= quarter)
  })

test('whatever the sleeps: the serving certificate is always valid, and its authority was trusted long before', async (t) => {
  const sleeps = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 60, maxLength: 160 })
  await fc.assert(
    fc.asyncProperty(sleeps, async (days) => {
      let now = start
      let authorities: readonly Authority[] = []
      let serving = ''
      const trustedSince = new Map<Authority, number>()
      for (const sleep of days) {
        now += sleep * DAY
        let plan = planRotation(authorities, now)
        if (plan.create)
          plan = planRotation([...plan.authorities, await createAuthority(now, clusterLifetimes.authorityMs)], now)
        authorities = plan.authorities
        for (const each of authorities) if (!trustedSince.has(each)) trustedSince.set(each, now)
        const { signer } = plan
        if (!signer) return false
        if (serving === '' || isDue(validityOf(serving), now)) {
          const names = { dns: ['a'], addresses: [] }
          serving = (await issueServing(signer, names, now, clusterLifetimes.servingMs)).cert
          const since = trustedSince.get(signer) ?? now
          if (trustedSince.size > 1 && now - since < 29 * DAY) return false
        }
        if (validityOf(serving).notAfterMs <= now) return false
        if (!authorities.some((each) => signed(each, serving))) return false
      }
      return true
    }),
    { numRuns: 8 },
  )
  t.pass()
})
