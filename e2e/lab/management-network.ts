/** The network between controllers and nodes, beside the fabric: 10.99.0.0/24, the controllers in the guest's own namespace. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { attempt, run } from './command.ts'
import type { LabNode } from './node.ts'

const BRIDGE = 'mgmt0'

/** Names of links have 15 characters at most. */
const linkTo = (node: string): string => `mgmt-${node}`

/** Addresses of the controllers are on the bridge, `controllers` is the name of all of them; nodes have 10.99.0.11 and up. */
export async function connect(
  nodes: readonly LabNode[],
  { addresses, folder }: { readonly addresses: readonly string[]; readonly folder: string },
): Promise<void> {
  const own = addresses.map((address) => `addr add ${address}/24 dev ${BRIDGE}`)
  const links = nodes.flatMap(({ name }) => [
    `link add ${linkTo(name)} type veth peer name mgmt netns ${name}`,
    `link set ${linkTo(name)} master ${BRIDGE} up`,
  ])
  const bridge = [`link add ${BRIDGE} type bridge`, ...own, `link set ${BRIDGE} up`]
  await run(['ip', '-batch', '-'], { input: `${[...bridge, ...links].join('\n')}\n` })
  for (const [at, node] of nodes.entries()) await node.ip(`addr add 10.99.0.${11 + at}/24 dev mgmt`, 'link set mgmt up')
  const hosts = addresses.map((address) => `${address} controllers\n`).join('')
  writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost\n::1 localhost\n${hosts}`)
  // The guest's root is read-only.
  await run(['mount', '--bind', join(folder, 'hosts'), '/etc/hosts'])
}

/** Cuts a node off, or joins it again. */
export async function setReachable({ name }: LabNode, reachable: boolean): Promise<void> {
  await run(['ip', 'link', 'set', linkTo(name), reachable ? 'up' : 'down'])
}

/** Takes all of it away. */
export async function disconnect(): Promise<void> {
  await attempt(['umount', '/etc/hosts'])
  await attempt(['ip', 'link', 'del', BRIDGE])
  const links = await run(['ip', '-j', 'link', 'show', 'type', 'veth'])
  const ours = (JSON.parse(links || '[]') as { ifname: string }[]).filter(({ ifname }) => ifname.startsWith('mgmt-'))
  for (const { ifname } of ours) await attempt(['ip', 'link', 'del', ifname])
}
