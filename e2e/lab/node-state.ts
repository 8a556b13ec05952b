/** Everything on a node that nodeleaf could have left something in: host, router, FRR's configuration. */
import { ask } from './vty.ts'
import { eventually } from './eventually.ts'
import type { LabNode } from './node.ts'
import { difference, snapshotOf, withoutLearned, type Snapshot } from './snapshot.ts'

/** Two states are equal when the same plan is in place, whatever was there in between. */
export async function nodeState(node: LabNode): Promise<Snapshot> {
  const [host, router, frr] = await Promise.all([
    snapshotOf(node.name),
    snapshotOf(node.router.name),
    frrConfiguration(node),
  ])
  return [
    ...withoutLearned(host).map((line) => `host: ${withoutRandom(line)}`),
    ...withoutLearned(router).map((line) => `router: ${withoutRandom(line)}`),
    ...frr.map((line) => `FRR: ${line}`),
  ].sort()
}

/** Waits until the node is as it was before. */
export async function isAgain(node: LabNode, before: Snapshot): Promise<void> {
  await eventually(
    `${node.name} has nothing left over and misses nothing`,
    async () => {
      const changes = difference(before, await nodeState(node))
      if (changes.length > 0) throw new Error(`\n${changes.join('\n')}`)
      return true
    },
    { everyMs: 500 },
  )
}

/** Waits until a namespace is as it was before, but for what routing daemons learn. */
export async function namespaceIsAgain(name: string, before: Snapshot): Promise<void> {
  await eventually(
    `${name} is as it was`,
    async () => {
      const changes = difference(withoutLearned(before), withoutLearned(await snapshotOf(name)))
      if (changes.length > 0) throw new Error(`\n${changes.join('\n')}`)
      return true
    },
    { everyMs: 500 },
  )
}

/**
 * Each line with the blocks it is in: FRR lists VRFs and instances in the order of their making. A `vrf X` without a
 * line in it is not configuration: mgmtd goes on listing every VRF that ever had one (lib/vrf.c, lib_vrf_destroy).
 */
export async function frrConfiguration(node: LabNode): Promise<string[]> {
  const running = await node.routerFrr.pids()
  const daemons = (['mgmtd', 'zebra', 'bgpd', 'bfdd'] as const).filter((daemon) => running.has(daemon))
  const texts = await Promise.all(daemons.map((daemon) => ask(node.routerFrr.socket(daemon), 'show running-config')))
  return daemons.flatMap((daemon, at) => inContext(texts[at] ?? '').map((line) => `${daemon}: ${line}`))
}

function inContext(text: string): string[] {
  const blocks: string[] = []
  return text.split('\n').flatMap((line) => {
    const word = line.trim()
    if (word === '' || word === '!' || word.startsWith('exit')) return []
    const depth = line.length - line.trimStart().length
    blocks.length = Math.min(blocks.length, depth)
    blocks.push(word)
    return depth === 0 && word.startsWith('vrf ') ? [] : [blocks.join(' / ')]
  })
}

/**
 * MACs that the kernel drew by lot, and the link-local addresses made of them (nodeleaf's own MACs begin with 02:6e).
 */
function withoutRandom(line: string): string {
  return line
    .replaceAll(/"(?!02:6e:|00:00:00:00:00:00|ff:ff)([0-9a-f]{2}:){5}[0-9a-f]{2}"/g, '"MAC"')
    .replaceAll(/8000\.[0-9a-f:]+/g, '8000.MAC')
    .replaceAll(/fe80::[0-9a-f:]+/g, 'fe80::MAC')
}
