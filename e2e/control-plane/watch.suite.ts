/** Lists, selections and watches as nodeleaf relies on them: the same holds for the real API server and the one in memory. */
import test from 'ava'
import { apiSuite, configMap, l3vni, maps, merge } from './api-suite.ts'
import type { KubeObject, WatchEvent } from './client.ts'
import { addNode } from './cluster.ts'
import { root } from './objects.ts'

const api = apiSuite()

/** Events of a watch until one satisfies; bounded. */
async function watched(
  path: string,
  until: (event: WatchEvent, all: readonly WatchEvent[]) => boolean,
): Promise<WatchEvent[]> {
  const all: WatchEvent[] = []
  const abort = AbortSignal.timeout(60_000)
  for await (const event of api.client.watch(path, abort)) {
    all.push(event)
    if (until(event, all)) return all
  }
  return all
}

test('a list comes in pages that all show the same moment', async (t) => {
  for (const name of ['page-a', 'page-b', 'page-c']) await api.create(l3vni(name, {}, { labels: { suite: 'pages' } }))
  const query = 'labelSelector=suite%3Dpages&limit=2'
  const first = await api.client.ask('GET', `${root}/l3vnis?${query}`)
  t.deepEqual(
    (first['items'] as KubeObject[]).map(({ metadata }) => metadata.name),
    ['page-a', 'page-b'],
  )
  await api.client.ask('DELETE', `${root}/l3vnis/page-c`)
  const { continue: next, resourceVersion } = first.metadata as unknown as { continue: string; resourceVersion: string }
  const second = await api.client.ask('GET', `${root}/l3vnis?${query}&continue=${encodeURIComponent(next)}`)
  t.deepEqual(
    (second['items'] as KubeObject[]).map(({ metadata }) => metadata.name),
    ['page-c'],
  )
  t.is(second.metadata.resourceVersion, resourceVersion)
  t.is((second.metadata as { continue?: string }).continue ?? '', '')
})

test('selectors choose by label and by name', async (t) => {
  for (const rack of ['1', '2', '3']) await addNode(api.client, `selected-${rack}`, { rack, suite: 'select' })
  const names = async (query: string): Promise<string[]> => {
    const list = await api.client.ask('GET', `/api/v1/nodes?${query}`)
    return (list['items'] as KubeObject[]).map(({ metadata }) => metadata.name)
  }
  const select = (text: string): string => `labelSelector=${encodeURIComponent(`suite=select,${text}`)}`
  t.deepEqual(await names(select('rack in (1,3)')), ['selected-1', 'selected-3'])
  t.deepEqual(await names(select('rack notin (1),rack!=2')), ['selected-3'])
  t.deepEqual(await names(select('!rack')), [])
  t.deepEqual(await names('fieldSelector=metadata.name%3Dselected-2'), ['selected-2'])
})

test('a watch from a list on misses nothing and tells what happened in order', async (t) => {
  const query = 'labelSelector=suite%3Dwatch'
  const labels = { labels: { suite: 'watch' } }
  const list = await api.client.ask('GET', `${root}/l3vnis?${query}`)
  await api.create(l3vni('watched', {}, labels))
  await api.client.ask('PATCH', `${root}/l3vnis/watched`, { body: { spec: { vni: 2 } }, type: merge })
  const deletion = await api.client.ask('DELETE', `${root}/l3vnis/watched`)
  t.is(deletion['status'], 'Success')
  const path = `${root}/l3vnis?${query}&resourceVersion=${list.metadata.resourceVersion}`
  const all = await watched(path, ({ type }) => type === 'DELETED')
  t.deepEqual(
    all.map(({ type, object }) => [type, object['spec'].vni]),
    [
      ['ADDED', 1],
      ['MODIFIED', 2],
      ['DELETED', 2],
    ],
  )
  const versions = all.map(({ object }) => Number(object.metadata.resourceVersion))
  t.deepEqual(
    versions,
    versions.toSorted((a, b) => a - b),
  )
  t.is(new Set(versions).size, 3)
})

test('an object that comes into a selection is added, one that leaves it is deleted', async (t) => {
  const list = await api.client.ask('GET', `${root}/l3vnis`)
  await api.create(l3vni('moves'))
  const label = (value: string | null) =>
    api.client.ask('PATCH', `${root}/l3vnis/moves`, {
      body: { metadata: { labels: { moves: value } } },
      type: merge,
    })
  await label('in')
  await label(null)
  const path = `${root}/l3vnis?labelSelector=moves%3Din&resourceVersion=${list.metadata.resourceVersion}`
  const all = await watched(path, ({ type }) => type === 'DELETED')
  t.deepEqual(
    all.map(({ type }) => type),
    ['ADDED', 'DELETED'],
  )
})

test('one object can be watched by its name alone', async (t) => {
  const list = await api.client.ask('GET', maps)
  await api.client.apply([configMap('not-me', {}), configMap('me', {})], 'fieldManager=one')
  const path = `${maps}?fieldSelector=metadata.name%3Dme&resourceVersion=${list.metadata.resourceVersion}`
  const [event] = await watched(path, () => true)
  t.is(event?.object.metadata.name, 'me')
})

test('a watch ends after its timeout, with a bookmark for those who want one', async (t) => {
  const list = await api.client.ask('GET', `${root}/l2vnis`)
  const path = `${root}/l2vnis?timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}`
  const all = await watched(path, () => false)
  const bookmark = all.find(({ type }) => type === 'BOOKMARK')
  if (api.inMemory) t.true(Number(bookmark?.object.metadata.resourceVersion) >= Number(list.metadata.resourceVersion))
  t.true(all.every(({ type }) => type === 'BOOKMARK'))
})
