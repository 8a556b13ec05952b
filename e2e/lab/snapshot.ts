/** What `ip` says of a namespace, without what changes by itself: two snapshots of an unchanged namespace are equal. */
import { run } from './command.ts'

/** One line an object, sorted. */
export type Snapshot = readonly string[]

/** Index numbers and clocks: they differ between two equal namespaces. */
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
  'topology_change',
  'topology_change_detected',
  'root_path_cost',
  'timer',
  'message_age_timer',
  'forward_delay_timer',
  'hold_timer',
])

const SHOWS = [
  'link show',
  'addr show',
  '-4 route show table all',
  '-6 route show table all',
  '-4 rule show',
  '-6 rule show',
]

/** Takes a snapshot of a named namespace. */
export async function snapshotOf(namespace: string): Promise<Snapshot> {
  const script = SHOWS.map((show) => `ip -d -j ${show}; echo`).join('\n')
  const text = await run(['nsenter', `--net=/run/netns/${namespace}`, 'sh', '-eu'], { input: script })
  return SHOWS.flatMap((show, at) => {
    const lines = text.split('\n').filter((line) => line.startsWith('['))
    return (JSON.parse(lines[at] ?? '[]') as unknown[]).map((object) => `${show}: ${JSON.stringify(stable(object))}`)
  }).sort()
}

/** Without what routing daemons put in: the fabric's own routers learn and forget routes all the time. */
export function withoutLearned(snapshot: Snapshot): Snapshot {
  return snapshot.filter((line) => !/ route show .*"protocol":"(bgp|zebra|bird|186|11|12)"/.test(line))
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
