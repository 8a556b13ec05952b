import test from 'ava'
import type { Request } from './netlink/message.ts'
import { NetlinkError } from './netlink/netlink-error.ts'
import type { Namespace } from './objects.ts'
import { converse, type Send, type Talk } from './talk.ts'

function request(asked: string): Request {
  return { type: 16, flags: 0, body: Buffer.alloc(0), asked }
}

/** Refuses what is asked in words that have `no` in them; keeps what came in one send. */
function listener(): { readonly heard: [Namespace, ...string[]][]; readonly send: Send } {
  const heard: [Namespace, ...string[]][] = []
  const send: Send = (namespace, requests) => {
    heard.push([namespace, ...requests.map(({ asked }) => asked)])
    return requests.map(({ asked }) => (asked.includes('no') ? new NetlinkError(17, { asked }) : []))
  }
  return { heard, send }
}

function* saying(namespace: Namespace, ...turns: string[][]): Talk {
  for (const words of turns) yield { namespace, requests: words.map(request) }
}

test('the next question of each goes out with those of the others', (t) => {
  const { heard, send } = listener()
  const outcomes = converse(
    [
      saying('router', ['a1'], ['a2', 'a3']),
      saying('host', ['b1']),
      saying('router', ['c1'], ['c2'], ['c3']),
      saying('host'),
    ],
    send,
  )
  t.deepEqual(heard, [
    ['router', 'a1', 'c1'],
    ['host', 'b1'],
    ['router', 'a2', 'a3', 'c2'],
    ['router', 'c3'],
  ])
  t.true(outcomes.every(({ done }) => done))
})

test('the first refusal is thrown into the one that asked, which may go on; the others do not notice', (t) => {
  const { heard, send } = listener()
  function* stubborn(): Talk {
    try {
      yield* saying('router', ['yes', 'no 1', 'no 2'])
    } catch (error) {
      yield* saying('router', [`after ${(error as NetlinkError).asked.slice(3)}`])
    }
  }
  const outcomes = converse(
    [saying('router', ['a'], ['no more'], ['never']), stubborn(), saying('router', ['c'])],
    send,
  )
  t.deepEqual(heard, [
    ['router', 'a', 'yes', 'no 1', 'no 2', 'c'],
    ['router', 'no more', 'after 1'],
  ])
  t.like(outcomes, { 0: { done: false, error: { asked: 'no more' } }, 1: { done: true }, 2: { done: true } })
})

test('what a talk throws before it asks is its outcome', (t) => {
  const broken = (): Talk => {
    throw new Error('unreachable')
  }
  function* early(): Talk {
    yield* broken()
  }
  t.like(converse([early()], listener().send)[0], { done: false, error: { message: 'unreachable' } })
})
