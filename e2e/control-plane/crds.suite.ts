/** The CRDs in an API server: they install, hold what is good, refuse what is bad and say where, and print their columns. */
import test from 'ava'
import { bad, base, deeper, good } from '../../api/kinds/rules-examples.ts'
import { kindNamed, kinds } from '../../api/kinds/kinds.ts'
import { apiSuite } from './api-suite.ts'
import type { Answer } from './client.ts'
import { root } from './objects.ts'

const api = apiSuite()

const strict = '?fieldValidation=Strict&dryRun=All'

function post(name: string, spec: Record<string, unknown>, query = strict, object = 'x'): Promise<Answer> {
  const kind = kindNamed(name)
  const body = { apiVersion: 'nodeleaf.io/v1alpha1', kind: name, metadata: { name: object }, spec }
  return api.client.call('POST', `${root}/${kind?.plural ?? ''}${query}`, { body })
}

/** The fields that an answer complains about. */
function complaints({ body, status }: Answer): readonly string[] {
  if (status < 400) return []
  const causes = (body.details?.causes ?? []) as { field: string }[]
  const unknown = [...String(body.message).matchAll(/unknown field "([^"]+)"/g)].map(([, path]) => path ?? '')
  return [...new Set([...causes.map(({ field }) => field).filter((field) => field !== '<nil>'), ...unknown])]
}

for (const [name, change] of good)
  test(`${name} with ${JSON.stringify(change)} is taken`, async (t) => {
    const answer = await post(name, { ...base[name], ...change })
    t.is(answer.status, 201, JSON.stringify(answer.body))
  })

for (const [name, change, ...fields] of bad)
  test(`${name} with ${JSON.stringify(change)} is refused for ${fields.join()}`, async (t) => {
    const answer = await post(name, { ...base[name], ...change })
    t.deepEqual(complaints(answer), fields, JSON.stringify(answer.body))
  })

for (const [name, change] of deeper)
  test(`${name} with ${JSON.stringify(change)} is taken here: it is nodeleaf's webhook that refuses it`, async (t) => {
    t.is((await post(name, { ...base[name], ...change })).status, 201)
  })

test('every kind is served with its status, its short name and the category of all', async (t) => {
  const { resources } = await api.client.ask('GET', root)
  for (const kind of kinds) {
    const found = (resources as { name: string }[]).filter(({ name }) => name.split('/')[0] === kind.plural)
    t.deepEqual(found.map(({ name }) => name).sort(), [kind.plural, `${kind.plural}/status`], kind.name)
    t.like(found[0], { shortNames: [...kind.shortNames], categories: ['nodeleaf'], namespaced: false })
  }
})

test('a rule says what is wrong and what to do', async (t) => {
  const neighbors = [{ address: '192.168.10.1', type: 'External', holdTime: 90 }]
  const { status, body } = await post('Underlay', { ...base['Underlay'], neighbors })
  t.is(status, 422)
  t.is(body.reason, 'Invalid')
  t.regex(body.message, /^Underlay\.nodeleaf\.io "x" is invalid: .*spec\.neighbors\[0\]\.holdTime: Invalid value: /)
  t.regex(body.message, /holdTime and keepaliveTime go together; set both/)
})

test('a rule is checked when an update breaks it', async (t) => {
  const created = await post('L3VNI', { vni: 7001, vrf: 'rules' }, '', 'updated')
  t.is(created.status, 201)
  const type = 'application/merge-patch+json'
  const { status, body } = await api.client.call('PATCH', `${root}/l3vnis/updated`, {
    body: { spec: { vni: 0 } },
    type,
  })
  t.is(status, 422)
  t.deepEqual(
    body.details.causes.map(({ field }: { field: string }) => field),
    ['spec.vni'],
  )
})

test('a name that is too long for a link is refused', async (t) => {
  const body = {
    apiVersion: 'nodeleaf.io/v1alpha1',
    kind: 'L2VNI',
    metadata: { name: 'n'.repeat(64) },
    spec: { vni: 1 },
  }
  const answer = await api.client.call('POST', `${root}/l2vnis`, { body })
  t.is(answer.status, 422)
  t.regex(answer.body.message, /longer than 63 characters/)
})

test('what nobody set has its default', async (t) => {
  const { body } = await post('Underlay', base['Underlay'] ?? {})
  t.like(body.spec, { maximumPaths: 64, gracefulRestart: { enabled: true, restartTime: 120, stalePathTime: 360 } })
  t.like(body.spec.neighbors[0], { connectTime: 5, ebgpMultiHop: false })
})

test('a field that does not exist is refused, warned of or dropped, as the client wants it', async (t) => {
  const spec = { vni: 1, vrf: 'red', vfr: 'blue' }
  t.is((await post('L3VNI', spec)).status, 400)
  const warned = await post('L3VNI', spec, '?fieldValidation=Warn&dryRun=All')
  t.deepEqual(
    [warned.status, warned.warnings, warned.body.spec],
    [201, ['unknown field "spec.vfr"'], { vni: 1, vrf: 'red' }],
  )
  const ignored = await post('L3VNI', spec, '?fieldValidation=Ignore&dryRun=All')
  t.deepEqual([ignored.status, ignored.warnings], [201, []])
})

for (const kind of kinds)
  test(`the columns of ${kind.name} print`, async (t) => {
    const { name } = kind.example
    const body = { apiVersion: 'nodeleaf.io/v1alpha1', kind: kind.name, metadata: { name }, spec: kind.example.spec }
    const created = await api.client.call('POST', `${root}/${kind.plural}`, { body })
    t.is(created.status, 201, JSON.stringify(created.body))
    const conditions = [
      {
        type: 'Ready',
        status: 'True',
        reason: 'AllNodes',
        message: 'works',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ]
    const nodes = { selected: 2, ready: 2, failed: 0, summary: '2/2' }
    const status = kind.name === 'RouterNode' ? { conditions } : { conditions, nodes }
    const type = 'application/merge-patch+json'
    await api.client.ask('PATCH', `${root}/${kind.plural}/${name}/status`, { body: { status }, type })

    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
    const table = await api.client.ask('GET', `${root}/${kind.plural}/${name}`, { accept })
    t.is(table.kind, 'Table')
    const columns = table['columnDefinitions'] as { name: string; priority: number }[]
    t.deepEqual(
      columns.map((each) => [each.name, each.priority === 0]),
      [['Name', true], ...kind.columns.map((each): [string, boolean] => [each.name, each.wide !== true])],
    )
    const cells = (table['rows'] as { cells: unknown[] }[])[0]?.cells ?? []
    const cell = (column: string): unknown => cells[columns.findIndex((each) => each.name === column)]
    t.is(cell('Name'), name)
    t.is(cell('Ready'), 'True')
    t.regex(String(cell('Age')), /^\d+s$/)
    if (kind.name !== 'RouterNode') t.is(cell('Nodes'), '2/2')
  })
