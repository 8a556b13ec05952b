import { readFile } from 'node:fs/promises'
import test from 'ava'
import { parseTopology, TopologyError } from './topology.ts'

test('settings come from defaults, group and node, in this order', (t) => {
  const topology = parseTopology(
    `
name: x
topology:
  defaults: { kind: linux, sysctls: { a: 1, b: 1 } }
  groups:
    router: { binds: ['d:/etc/d'], sysctls: { b: 2 }, exec: [one] }
  nodes:
    r1: { group: router, binds: ['r1.conf:/etc/c'], exec: [two] }
    h1: {}
  links:
    - endpoints: ['r1:eth1', 'h1:eth1']
`,
    '/clab/x.clab.yml',
  )
  t.deepEqual(topology.nodes[0], {
    name: 'r1',
    group: 'router',
    sysctls: { a: '1', b: '2' },
    exec: ['one', 'two'],
    binds: new Map([
      ['/etc/d', '/clab/d'],
      ['/etc/c', '/clab/r1.conf'],
    ]),
  })
  t.deepEqual(topology.links, [
    [
      { node: 'r1', interface: 'eth1' },
      { node: 'h1', interface: 'eth1' },
    ],
  ])
})

test('a link to a node that is not there is refused', (t) => {
  const text = "topology: { nodes: { a: {} }, links: [{ endpoints: ['a:eth1', 'b:eth1'] }] }"
  t.throws(() => parseTopology(text, 'x'), { instanceOf: TopologyError, message: /"b:eth1"/ })
})

test('the fabric has its ten nodes and every link end once', async (t) => {
  const path = 'clab/fabric.clab.yml'
  const topology = parseTopology(await readFile(path, 'utf8'), path)
  t.deepEqual(topology.nodes.map((node) => node.name).sort(), [
    'hostblue',
    'hostl2',
    'hostl2d',
    'hostred',
    'leaf',
    'node1',
    'node2',
    'spine',
    'tor1',
    'tor2',
  ])
  const ends = topology.links.flat().map((end) => `${end.node}:${end.interface}`)
  t.is(new Set(ends).size, ends.length)
})
