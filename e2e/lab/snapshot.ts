/** What `ip` says of a namespace, without what changes by itself: two snapshots of an unchanged namespace are equal. */
import { run } from './command.ts'

/** One line an object, sorted. */
export type Snapshot = readonly string[]

/** Index numbers, clocks, and how much was learnt: they differ between two equal namespaces. */
const VOLATILE = new Set([
  'ifindex',
  'link_index',
  'link_netnsid',
  'hello_timer',
  'tcn_timer',
  'topology_change_timer',
  'gc_timer',
  'valid_life_time',
  'preferred_life_time',
  'expires',
  'nhid',
  'operstate',
  'tentative',
  'topology_change',
  'topology_change_detected',
  'root_path_cost',
  'timer',
  'message_age_timer',
  'forward_delay_timer',
  'hold_timer',
  'fdb_n_learned',
])

/** What is looked at, by the program that shows it: one process each, as starting one is what costs. */
const SHOWS = [
  { program: ['ip', '-d', '-j'], of: '', shows: ['link show', 'addr show', 'route show table all', 'rule show'] },
  { program: ['ip', '-6', '-d', '-j'], of: '-6 ', shows: ['route show table all', 'rule show'] },
  { program: ['bridge', '-j'], of: 'bridge ', shows: ['vlan show', 'vlan tunnelshow', 'vni show'] },
] as const

/** Takes a snapshot of a named namespace. */
export async function snapshotOf(namespace: string): Promise<Snapshot> {
  const parts = await Promise.all(
    SHOWS.map(async ({ program, of, shows }) => {
      const words = ['nsenter', `--net=/run/netns/${namespace}`, ...program, '-batch', '-']
      const answers = (await run(words, { input: `${shows.join('\n')}\n` }))
        .split('\n')
        .filter((line) => line.startsWith('['))
      return shows.flatMap((show, at) =>
        (JSON.parse(answers[at] ?? '[]') as unknown[]).map(
          (object) => `${of}${show}: ${JSON.stringify(stable(object))}`,
        ),
      )
    }),
  )
  return parts.flat().sort()
}

/** Without what routing daemons put in: the fabric's own routers learn and forget routes all the time. */
export function withoutLearned(snapshot: Snapshot): Snapshot {
  return snapshot.filter((line) => !/route show .*"protocol":"(bgp|zebra|bird|186|11|12)"/.test(line))
}

/** What changed, as lines that start with - and +; empty when nothing did. */
export function difference(before: Snapshot, after: Snapshot): readonly string[] {
  return [
    ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
  ]
}

function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !VOLATILE.has(key))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, key === 'flags' && Array.isArray(member) ? [...member].sort() : stable(member)]),
  )
}
