import test from 'ava'
import * as fc from 'fast-check'
import { fromBinary } from '@bufbuild/protobuf'
import { ControllerMessageSchema, type PlanUpdate } from '../../api/wire/generated/distribution_pb.ts'
import type { PlanChange } from '../../api/plan/plan-version.ts'
import { MESSAGE_BYTES, planMessages, weight, type UpdateHead } from './plan-messages.ts'

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value)

function decoded(
  change: PlanChange,
  head: UpdateHead,
): readonly { readonly update: PlanUpdate; readonly length: number }[] {
  return Array.from(planMessages(change, head), (each) => {
    const { message } = fromBinary(ControllerMessageSchema, each.bytes)
    if (message.case !== 'plan') throw new Error(`a message is ${message.case}`)
    if (message.value.more === each.last) throw new Error('more and last are the same')
    return { update: message.value, length: each.bytes.length }
  })
}

const key = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => text.isWellFormed())
const length = fc.oneof(fc.nat(300), fc.nat(100_000), fc.constant(MESSAGE_BYTES + 5))

test('what is decoded is what was encoded, in order, in messages that are not too long', (t) => {
  const arbitrary = fc.record({
    set: fc.array(fc.record({ key, length, value: fc.nat(255) }), { maxLength: 20 }),
    remove: fc.array(key, { maxLength: 50 }),
    base: fc.string(),
    revision: fc.string(),
    refused: fc.option(fc.uint8Array(), { nil: undefined }),
  })
  fc.assert(
    fc.property(arbitrary, ({ set, remove, base, revision, refused }) => {
      const change = { set: set.map((each) => ({ key: each.key, json: bytes(each.length, each.value) })), remove }
      const head = { base, revision, ...(refused ? { refused: { json: refused, digest: 'd' } } : {}) }
      const messages = decoded(change, head)
      const pieces = messages.flatMap(({ update }) => update.set.map(({ key: name, json }) => ({ key: name, json })))
      t.deepEqual(
        pieces.map((each) => each.key),
        change.set.map((each) => each.key),
      )
      t.true(pieces.every(({ json }, at) => Buffer.compare(json, change.set[at]?.json ?? bytes(0, 0)) === 0))
      t.deepEqual(
        messages.flatMap(({ update }) => update.remove),
        remove,
      )
      t.true(messages.every(({ update }) => update.base === base && update.revision === revision))
      t.deepEqual(
        messages.map(({ update }) => update.refused?.length),
        messages.map((_, at) => (at === 0 ? refused?.length : undefined)),
      )
      for (const { update, length: long } of messages) t.true(long < MESSAGE_BYTES + 2000 || update.set.length === 1)
      t.true(weight(change) >= change.set.reduce((sum, { json }) => sum + json.length, 0))
    }),
    { numRuns: 60 },
  )
})

test('thousands of removed keys do not make one long message', (t) => {
  const remove = Array.from({ length: 20_000 }, (_, at) => `segment/${at}/${'x'.repeat(40)}`)
  const messages = decoded({ set: [], remove }, { base: 'a', revision: 'b' })
  t.true(messages.length > 3)
  t.true(messages.every((each) => each.length <= MESSAGE_BYTES + 100))
})

test('a change of nothing is one message', (t) => {
  t.is(decoded({ set: [], remove: [] }, { base: 'a', revision: 'a' }).length, 1)
})
