import test from 'ava'
import { losses } from './pinger.ts'

const answers = (...sequences: number[]) =>
  sequences.map((sequence) => `64 bytes from 10.0.0.1: icmp_seq=${sequence} ttl=63 time=0.1 ms\n`).join('')

test('a packet that was still under way at the end is not lost', (t) => {
  const result = losses(`${answers(1, 2, 3)}4 packets transmitted, 3 received, 25% packet loss`, 50)
  t.like(result, { sent: 4, received: 3, lost: 0, gapMs: 0 })
})

test('packets that were sent after the end was asked for are not judged', (t) => {
  const text = `${answers(1, 2, 4)}3/4 packets, 25% loss, min/avg/ewma/max = 1/1/1/1 ms\n${answers(5)}9 packets transmitted, 4 received`
  t.like(losses(text, 50, 4), { sent: 4, lost: 1, gapMs: 50 })
})

test('losses are counted, and the longest gap is measured', (t) => {
  const result = losses(`${answers(1, 3, 7)}9 packets transmitted, 3 received`, 50)
  t.like(result, { lost: 6, gapMs: 150 })
})

test('an answer that says unreachable is a loss', (t) => {
  const text = `${answers(1)}From 10.0.0.2 icmp_seq=2 Destination Host Unreachable\n${answers(3)}3 packets transmitted, 2 received`
  t.is(losses(text, 50).lost, 1)
})
