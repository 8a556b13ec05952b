import test from 'ava'
import * as fc from 'fast-check'
import { tunnelRanges, vlanRanges, vniRanges } from './ranges.ts'

test('numbers that follow each other are one range, in whatever order they come', (t) => {
  t.deepEqual(vniRanges([7, 3, 5, 4, 9]), [
    { vni: 3, last: 5 },
    { vni: 7, last: 7 },
    { vni: 9, last: 9 },
  ])
})

test('tunnels are one range as long as their VNIs follow each other too', (t) => {
  const tunnels = [
    { vid: 2, vni: 100 },
    { vid: 3, vni: 101 },
    { vid: 4, vni: 200 },
    { vid: 6, vni: 201 },
  ]
  t.deepEqual(tunnelRanges(tunnels), [
    { vid: 2, last: 3, vni: 100 },
    { vid: 4, last: 4, vni: 200 },
    { vid: 6, last: 6, vni: 201 },
  ])
})

test('ranges have exactly what was given, and no two could be one', (t) => {
  const tunnel = fc.record({ vid: fc.integer({ min: 2, max: 40 }), vni: fc.integer({ min: 1, max: 60 }) })
  fc.assert(
    fc.property(fc.uniqueArray(tunnel, { selector: ({ vid }) => vid }), (tunnels) => {
      const ranges = tunnelRanges(tunnels)
      const back = ranges.flatMap(({ vid, last = vid, vni }) =>
        Array.from({ length: last - vid + 1 }, (_, at) => ({ vid: vid + at, vni: vni + at })),
      )
      t.deepEqual(
        back,
        tunnels.toSorted((a, b) => a.vid - b.vid),
      )
      const vids = vlanRanges(tunnels).flatMap(({ vid, last = vid }) =>
        Array.from({ length: last - vid + 1 }, (_, at) => vid + at),
      )
      t.deepEqual(
        vids,
        back.map(({ vid }) => vid),
      )
      ranges.slice(1).forEach((range, at) => {
        const before = ranges[at]!
        t.false((before.last ?? 0) + 1 === range.vid && before.vni + range.vid - before.vid === range.vni)
      })
    }),
  )
})
