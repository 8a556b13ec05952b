import test from 'ava'
import * as fc from 'fast-check'
import { stringify } from 'yaml'
import { formatProblem } from './problem.ts'
import { joined, readManifest, type Reading } from './read.ts'

const l3 = (name: string, vni: number) => `apiVersion: nodeleaf.io/v1alpha1
kind: L3VNI
metadata:
  name: ${name}
spec:
  vni: ${vni}
  vrf: ${name}
`
const names = (reading: Reading): string[] => reading.documents.map((each) => each.object.metadata.name)
const places = (reading: Reading): string[] => reading.problems.map((each) => `${each.line} ${each.field ?? ''}`.trim())

test('a problem names file, line, object, field, value and remedy', (t) => {
  const [problem] = readManifest('net.yaml', l3('red', 0)).problems
  t.is(problem && formatProblem(problem), 'net.yaml:6: L3VNI/red: spec.vni: 0 is out of range; use 1 to 16777215')
})

test('a document knows the lines of its fields', (t) => {
  const [document] = readManifest('net.yaml', `# first\n---\n${l3('red', 1)}`).documents
  t.is(document?.line, 3)
  t.is(document?.lines['spec.vni'], 8)
})

test('a bad document, a syntax error included, leaves the others of its file', (t) => {
  for (const bad of [l3('bad', 0), 'spec: [', 'metadata:\n\tname: x\n', 'a: 1\na: 2\n', '"text"', '- 1', 'kind: L3VNI'])
    for (const text of [`${bad}\n---\n${l3('a', 1)}---\n${l3('b', 2)}`, `${l3('a', 1)}---\n${l3('b', 2)}---\n${bad}`]) {
      const reading = readManifest('x.yaml', text)
      t.deepEqual(names(reading), ['a', 'b'], bad)
      t.true(reading.problems.length > 0, bad)
    }
})

test('a tab says so, with its line', (t) => {
  const [problem] = readManifest('x.yaml', 'kind: L3VNI\nmetadata:\n\tname: x\n').problems
  t.is(problem?.line, 3)
  t.is(problem?.remedy, 'indent with spaces')
})

for (const [what, text] of [
  ['empty', ''],
  ['blank', '\n\n'],
  ['of comments', '# nothing\n'],
  ['of empty documents', '---\n---\n...\n'],
] as const) {
  test(`a file that is ${what} says nothing`, (t) => {
    t.deepEqual(readManifest('x.yaml', text), { documents: [], problems: [], warnings: [] })
  })
}

test('line ends of Windows, a byte order mark and JSON are read', (t) => {
  t.deepEqual(names(readManifest('x.yaml', l3('a', 1).replaceAll('\n', '\r\n'))), ['a'])
  t.is(readManifest('x.yaml', l3('a', 0).replaceAll('\n', '\r\n')).problems[0]?.line, 6)
  t.deepEqual(names(readManifest('x.yaml', `\ufeff${l3('a', 1)}`)), ['a'])
  const json = {
    apiVersion: 'nodeleaf.io/v1alpha1',
    kind: 'L3VNI',
    metadata: { name: 'a' },
    spec: { vni: 1, vrf: 'a' },
  }
  t.deepEqual(names(readManifest('x.json', JSON.stringify(json, null, '\t'))), ['a'])
})

for (const [kind, version] of [
  ['List', 'v1'],
  ['L3VNIList', 'nodeleaf.io/v1alpha1'],
] as const) {
  test(`the items of a ${kind} are read one by one`, (t) => {
    const item = (name: string, vni: number) => ({
      apiVersion: 'nodeleaf.io/v1alpha1',
      kind: 'L3VNI',
      metadata: { name },
      spec: { vni, vrf: name },
    })
    const reading = readManifest(
      'x.yaml',
      stringify({ apiVersion: version, kind, items: [item('a', 1), item('b', 0), item('c', 3)] }),
    )
    t.deepEqual(names(reading), ['a', 'c'])
    t.deepEqual(places(reading), ['16 spec.vni'])
  })
}

test('a key that stands twice is an error of its object alone', (t) => {
  const reading = readManifest(
    'x.yaml',
    `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: nodeleaf.io/v1alpha1, kind: L3VNI, metadata: {name: a}, spec: {vni: 1, vrf: a}}\n- apiVersion: nodeleaf.io/v1alpha1\n  kind: L3VNI\n  metadata: {name: b}\n  spec:\n    vni: 2\n    vni: 3\n    vrf: b\n`,
  )
  t.deepEqual(names(reading), ['a'])
  t.deepEqual(
    reading.problems.map((each) => [each.line, each.object?.name, each.field]),
    [[10, 'b', 'spec.vni']],
  )
})

for (const [written, meant] of [
  ['vfr', 'vrf'],
  ['hostsession', 'hostSession'],
  ['nodeselector', 'nodeSelector'],
  ['exportPolicys', 'exportPolicy'],
] as const) {
  test(`${written} is taken for ${meant}`, (t) => {
    const [problem] = readManifest('x.yaml', `${l3('a', 1)}  ${written}: x\n`).problems
    t.is(problem?.remedy, `did you mean ${meant}?`)
  })
}

for (const [version, kind, remedy] of [
  ['nodeleaf.io/v1alpha1', 'L3Vni', 'did you mean L3VNI?'],
  ['nodeleaf.io/v1alpha1', 'Pod', 'use one of Underlay, L3VNI, L2VNI, L3Passthrough, RouterNode'],
  ['nodeleaf.io/v1', 'L3VNI', 'write nodeleaf.io/v1alpha1'],
  ['nodeleaf.io', 'L3VNI', 'write nodeleaf.io/v1alpha1'],
  ['nodleaf.io/v1alpha1', 'L3VNI', 'write nodeleaf.io/v1alpha1'],
  ['v1alpha1', 'L3VNI', 'write nodeleaf.io/v1alpha1'],
] as const) {
  test(`${version} ${kind} is an error: ${remedy}`, (t) => {
    const reading = readManifest(
      'x.yaml',
      `apiVersion: ${version}\nkind: ${kind}\nmetadata: {name: a}\nspec: {vni: 1, vrf: a}\n`,
    )
    t.deepEqual([names(reading), reading.problems.map((each) => each.remedy)], [[], [remedy]])
  })
}

test("other groups' objects are passed over with a warning", (t) => {
  const reading = readManifest('x.yaml', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n')
  t.deepEqual([reading.problems.length, reading.warnings.length], [0, 1])
})

test('of two objects with one name the first stays, and the second names its place', (t) => {
  const reading = joined([readManifest('a.yaml', l3('red', 1)), readManifest('b.yaml', `---\n${l3('red', 2)}`)])
  t.deepEqual(
    reading.documents.map((each) => each.file),
    ['a.yaml'],
  )
  t.deepEqual(
    reading.problems.map((each) => [each.file, each.line, /a\.yaml:1/.test(each.message)]),
    [['b.yaml', 2, true]],
  )
})

test('what kubectl prints can be read back', (t) => {
  const text = `${l3('a', 1)}status: {conditions: []}\n`.replace(
    'name: a',
    'name: a\n  uid: x\n  generation: 1\n  resourceVersion: "5"\n  creationTimestamp: "2026-01-01T00:00:00Z"\n  managedFields: []',
  )
  const reading = readManifest('x.yaml', text)
  t.deepEqual(reading.problems, [])
  const object = reading.documents[0]?.object
  t.is(object && 'creationTimestamp' in object.metadata && object.metadata.creationTimestamp, '2026-01-01T00:00:00Z')
})

test('a Secret is decoded, and none of its values is in a message', (t) => {
  const secret = (data: string) => `apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: n}\n${data}`
  const [good] = readManifest('x.yaml', secret('data: {a: aGVsbG8=}\nstringData: {b: text}\n')).documents
  t.deepEqual(good?.object.kind === 'Secret' && good.object.data, { a: 'hello', b: 'text' })
  const bad = readManifest('x.yaml', secret('data: {a: "hunter2!"}\nstringData: {b: 12345678}\n'))
  t.is(bad.documents.length, 0)
  t.deepEqual(
    bad.problems.map((each) => each.field),
    ['data.a', 'stringData.b'],
  )
  t.notRegex(JSON.stringify(bad), /hunter2|12345678/)
})

test('a password that was written into a neighbour is not repeated', (t) => {
  const reading = readManifest(
    'x.yaml',
    'apiVersion: nodeleaf.io/v1alpha1\nkind: Underlay\nmetadata: {name: a}\nspec: {asn: 1, neighbors: [{password: hunter2}, {passwordSecret: hunter2}]}\n',
  )
  t.true(reading.problems.length > 1)
  t.notRegex(JSON.stringify(reading), /hunter2/)
})

test('nothing that is thrown at it makes the reader throw', (t) => {
  const tree = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 5 },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('any')),
      fc.dictionary(fc.string(), tie('any')),
    ),
  })).any
  const word = fc.constantFrom('Underlay', 'L3VNI', 'L2VNI', 'L3Passthrough', 'RouterNode', 'List', 'Secret')
  const envelope = fc.record({
    kind: word,
    metadata: fc.oneof(tree, fc.constant({ name: 'a' })),
    spec: tree,
    items: tree,
    data: tree,
  })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        envelope.map((each) =>
          stringify({ apiVersion: each.kind === 'Secret' ? 'v1' : 'nodeleaf.io/v1alpha1', ...each }),
        ),
      ),
      (text) => {
        const reading = readManifest('x.yaml', text)
        t.true(reading.problems.every((each) => each.line > 0 && each.message !== '' && each.remedy !== ''))
      },
    ),
    { numRuns: 500 },
  )
})
