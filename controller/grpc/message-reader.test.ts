import test from 'ava'
import * as fc from 'fast-check'
import { framed } from './call.ts'
import { MessageError, MessageReader } from './message-reader.ts'
import { status } from './status.ts'

const MOST = 1000

function taken(reader: MessageReader): string[] {
  const messages: string[] = []
  for (let next = reader.next(); next !== undefined; next = reader.next()) messages.push(next.toString('hex'))
  return messages
}

test('messages come out as they went in, in whatever parts the bytes come', (t) => {
  const arbitrary = fc.record({
    messages: fc.array(fc.uint8Array({ maxLength: MOST }), { maxLength: 12 }),
    cuts: fc.array(fc.nat(4000), { maxLength: 30 }),
    greedy: fc.boolean(),
  })
  fc.assert(
    fc.property(arbitrary, ({ messages, cuts, greedy }) => {
      const bytes = Buffer.concat(messages.map(framed))
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]
      const reader = new MessageReader(MOST)
      const out: string[] = []
      for (const [at, place] of places.entries()) {
        reader.push(bytes.subarray(places[at - 1] ?? 0, place))
        if (greedy) out.push(...taken(reader))
      }
      out.push(...taken(reader))
      t.deepEqual(
        out,
        messages.map((each) => Buffer.from(each).toString('hex')),
      )
    }),
  )
})

test('byte by byte costs no more than a few copies of each', (t) => {
  const reader = new MessageReader(1 << 20)
  const whole = framed(new Uint8Array(1 << 20).fill(7))
  for (let at = 0; at < whole.length; at++) {
    t.is(reader.next(), undefined)
    reader.push(whole.subarray(at, at + 1))
  }
  t.is(reader.next()?.length, 1 << 20)
})

test('one byte too many, or a packed message, is told as soon as its prefix is there', (t) => {
  const long = new MessageReader(MOST)
  long.push(framed(new Uint8Array(MOST + 1)).subarray(0, 5))
  t.is(t.throws(() => long.next(), { instanceOf: MessageError })?.code, status.RESOURCE_EXHAUSTED)
  const packed = new MessageReader(MOST)
  packed.push(Buffer.from([1, 0, 0, 0, 1]))
  t.is(t.throws(() => packed.next(), { instanceOf: MessageError })?.code, status.UNIMPLEMENTED)
})
