import test from 'ava'
import { parseNodeFile, NodeFileError } from '../../api/manifest/node-file.ts'
import { hostPart, identify, type NodeKnowledge } from './node-number.ts'

const nothing: NodeKnowledge = { hostName: 'host', addressesOf: () => [], routerNode: () => undefined }
const document = { index: 7, labels: { rack: 'a', zone: 'z' } }

for (const [cidr, expected] of [
  ['192.168.10.11/24', 11],
  ['10.1.2.3/8', 0x010203],
  ['10.0.0.0/24', undefined],
  ['10.0.0.5/32', undefined],
  ['fd00:10::11/64', 0x11],
  ['fd00::1:2:3:4/64', undefined],
  ['::5/128', undefined],
] as const) {
  test(`the host part of ${cidr} is ${expected ?? 'none'}`, (t) => t.is(hostPart(cidr), expected))
}

test('the flag goes before the node file, the node file before the RouterNode', (t) => {
  const known = { ...nothing, nodeFile: { index: 2, labels: {} }, routerNode: () => document }
  t.deepEqual(identify({ ...known, indexFlag: 1 }).number, { index: 1, from: '--index' })
  t.deepEqual(identify(known).number, { index: 2, from: 'node file' })
  t.deepEqual(identify({ ...nothing, routerNode: () => document }).number, { index: 7, from: 'RouterNode' })
})

test('the name comes from the flag, the node file, the host', (t) => {
  const nodeFile = { name: 'file', labels: {} }
  t.is(identify({ ...nothing, nodeFile, nameFlag: 'flag' }).name, 'flag')
  t.is(identify({ ...nothing, nodeFile }).name, 'file')
  t.is(identify(nothing).name, 'host')
})

test('labels of the node file go over those of the RouterNode', (t) => {
  const known = { ...nothing, nodeFile: { index: 2, labels: { rack: 'b' } }, routerNode: () => document }
  t.deepEqual(identify(known).labels, { rack: 'b', zone: 'z' })
})

test('a number from an address is to be kept, and a kept one outlives the address', (t) => {
  const nodeFile = { indexFrom: { interface: 'eth1' }, labels: {} }
  const keep = { interface: 'eth1', index: 11 }
  const first = identify({ ...nothing, nodeFile, addressesOf: () => ['192.168.10.11/24'] })
  t.deepEqual(first.number, { index: 11, from: 'interface', keep })
  t.deepEqual(identify({ ...nothing, nodeFile, kept: keep }).number, { index: 11, from: 'interface' })
})

test('what was kept of another interface does not count', (t) => {
  const nodeFile = { indexFrom: { interface: 'eth2' }, labels: {} }
  const { number } = identify({ ...nothing, nodeFile, kept: { interface: 'eth1', index: 11 } })
  t.regex('problem' in number ? number.problem : '', /"eth2", which has no address/)
})

test('a node without a number is told every way to get one', (t) => {
  const { number } = identify(nothing)
  for (const remedy of ['--index', '--node-file', 'indexFrom', 'RouterNode']) {
    t.true('problem' in number && number.problem.includes(remedy), remedy)
  }
})

test('a node file is read', (t) => {
  t.deepEqual(parseNodeFile('n', 'name: a\nindex: 3\nlabels: {rack: "1"}'), {
    name: 'a',
    index: 3,
    labels: { rack: '1' },
  })
})

for (const text of ['index: -1', 'index: 1.5', 'indx: 1', '[', 'index: 1\nindexFrom: {interface: a}', '- 1', '']) {
  test(`the node file ${JSON.stringify(text)} is refused with its path`, (t) => {
    t.regex(
      t.throws(() => parseNodeFile('/etc/node.yaml', text), { instanceOf: NodeFileError }).message,
      /^\/etc\/node.yaml/,
    )
  })
}
