import test from 'ava'
import { kernelObjects } from './contestant.ts'
import { differences, expectedOf, knownOf, type Expected, type Known } from './expected.ts'
import { signsOf } from './signs.ts'
import { nodePlan } from './workload.ts'

const expected = (n: number, extra?: 0 | 1): Expected => {
  const plan = nodePlan(n, extra === undefined ? {} : { extra })
  return expectedOf(plan, kernelObjects(plan, 'single'))
}

/** A zebra and a kernel that have everything. */
function whole(of: Expected): Parameters<typeof differences> {
  const known = (type: Known['type']) => (entry: [number, string]) => ({
    vni: entry[0],
    vrf: entry[1],
    type,
    whole: true,
  })
  return [of, [...[...of.l2].map(known('L2')), ...[...of.l3].map(known('L3'))], of.links, of.hostLinks, of.addresses]
}

test('what has everything does not differ', (t) => {
  t.deepEqual(differences(...whole(expected(20))), [])
})

test('each thing that is missing or too much is named', (t) => {
  const [of, zebra, links, hostLinks, addresses] = whole(expected(20))
  const down = zebra.map((known) => (known.vni === 1001 ? { ...known, whole: false } : known))
  t.deepEqual(differences(of, down, links, hostLinks, addresses), ['zebra does not have VNI L3 1001 in t0'])
  const elsewhere = zebra.map((known) => (known.vni === 1002 ? { ...known, vrf: 'default' } : known))
  t.deepEqual(differences(of, elsewhere, links, hostLinks, addresses), [
    'zebra does not have VNI L2 1002 in t0',
    'zebra has VNI L2 1002 in default',
  ])
  const lacking = new Map([...links].filter(([name]) => name !== 'pe-1005'))
  t.deepEqual(differences(of, zebra, lacking.set('stray', 'dummy'), hostLinks, addresses), [
    'there is no veth pe-1005',
    'there is dummy stray',
  ])
  t.deepEqual(differences(of, zebra, links, new Set([...hostLinks].slice(1)), addresses), ['the host has no host-1001'])
  t.regex(differences(of, zebra, links, hostLinks, new Set()).at(0) ?? '', /^there is no address /)
})

test("zebra's answers are read: a VNI without its device is not whole, an L3VNI that is down neither", (t) => {
  const l2 = { vni: 5, type: 'L2', tenantVrf: 'default', vxlanInterface: 'vx5' }
  t.deepEqual(knownOf(l2), { vni: 5, type: 'L2', vrf: 'default', whole: true })
  const l3 = { vni: 6, type: 'L3', tenantVrf: 'red', vxlanIntf: 'vx6', state: 'Up' }
  t.deepEqual(knownOf(l3), { vni: 6, type: 'L3', vrf: 'red', whole: true })
  t.false(knownOf({ ...l3, state: 'Down' })?.whole)
  t.false(knownOf({ ...l3, vxlanIntf: 'None' })?.whole)
  t.is(knownOf({}), undefined)
  t.is(knownOf(undefined), undefined)
})

test('one segment comes by its VNI, its links and its route; all of it is looked at', (t) => {
  const [from, to] = [nodePlan(20), nodePlan(20, { extra: 0 })]
  t.deepEqual(signsOf(expected(20), expected(20, 0), from, to), {
    links: ['svi9001', 'pe-9001'],
    noLinks: [],
    vnis: [[9001, 't0']],
    noVnis: [],
    addresses: ['10.200.0.1/24 svi9001'],
    noAddresses: [],
    routes: ['t0 10.200.0.0/24'],
    some: false,
  })
})

test('of many only the last are looked at before everything is', (t) => {
  const signs = signsOf(expected(0), expected(100), nodePlan(0), nodePlan(100))
  t.true(signs.some)
  t.is(signs.vnis.length, 3)
  t.is(signs.links.length, 3)
  const back = signsOf(expected(100), expected(0), nodePlan(100), nodePlan(0))
  t.is(back.noVnis.length, 3)
  t.deepEqual(back.vnis, [])
})
