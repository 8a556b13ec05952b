import test from 'ava'
import { decodeFdb, type FdbEntry } from './netlink/fdb.ts'
import { RTM_DELNEIGH } from './netlink/neighbour.ts'
import type { LinkObject } from './objects.ts'
import { entering, tellAgain } from './ports-heard.ts'
import type { Operation } from './operation.ts'

const ref = { kind: 'L2VNI', name: 'web' } as const
const port: LinkObject = {
  type: 'link',
  kind: 'veth',
  namespace: 'router',
  name: 'pe-110',
  peer: { namespace: 'host', name: 'host-110' },
  master: 'nlbr0',
  vlan: 2,
  bridgePort: { learning: true, neighSuppress: false, vlanTunnel: false },
  up: true,
  for: ref,
}

function operation(what: Operation['do'], object: LinkObject, was?: LinkObject): Operation {
  return { do: what, stage: 'plug', object, for: ref, text: '', after: [], ...(was === undefined ? {} : { was }) }
}

test('a port enters a bridge when it is made in it, and when it comes from another', (t) => {
  const entered = { name: 'pe-110', bridge: 'nlbr0', for: ref }
  t.deepEqual(entering(operation('create', port)), entered)
  t.deepEqual(entering(operation('change', port, { ...port, master: 'br110' })), entered)
  const { master: _, ...free } = port
  t.deepEqual(entering(operation('change', port, free)), entered)
})

test('a port that stays or goes, or that is in a VRF, does not enter a bridge', (t) => {
  t.is(entering(operation('change', port, { ...port, mtu: 1400 })), undefined)
  t.is(entering(operation('raise', port, { ...port, up: false })), undefined)
  t.is(entering(operation('delete', port, port)), undefined)
  const { bridgePort: _, ...routed } = port
  t.is(entering(operation('create', { ...routed, master: 'red' })), undefined)
  t.is(entering(operation('create', { ...port, namespace: 'host' })), undefined)
})

const learnt: FdbEntry = { link: 7, mac: '02:00:00:00:00:01', table: 'master', state: 'dynamic', vlan: 2 }

test('what was learnt behind the ports is static for a moment, and learnt again', (t) => {
  const old: FdbEntry = { ...learnt, mac: '02:00:00:00:00:02', state: 'stale' }
  const told = tellAgain([learnt, old], new Set([7])).map(({ body }) => decodeFdb(body as Buffer))
  const { mac: first } = learnt
  t.deepEqual(
    told.map(({ link, mac, vlan, state }) => [link, mac, vlan, state]),
    [
      [7, first, 2, 'static'],
      [7, old.mac, 2, 'static'],
      [7, first, 2, 'dynamic'],
      [7, old.mac, 2, 'dynamic'],
    ],
  )
})

test('what was learnt without a VLAN is forgotten, and not set in the VLANs that the port has', (t) => {
  const told = tellAgain([{ ...learnt, vlan: undefined }], new Set([7]))
  t.is(told.length, 1)
  t.is(told[0]?.type, RTM_DELNEIGH)
})

test('what others have set, and what is behind other ports, is left alone', (t) => {
  const entries: FdbEntry[] = [
    { ...learnt, link: 8 },
    { ...learnt, state: 'permanent' },
    { ...learnt, state: 'static' },
    { ...learnt, table: 'self' },
    { ...learnt, externLearned: true },
  ]
  t.deepEqual(tellAgain(entries, new Set([7])), [])
})
