/**
 * Builds the fabric of a topology in network namespaces and takes it down again. The topology's `exec` commands are run
 * as containerlab runs them; neighbouring `ip` and `bridge` commands go through one `-batch` process, since starting a
 * process is what costs time in the guest.
 */
import { readFile, rm } from 'node:fs/promises'
import { attempt, run } from './command.ts'
import { eventually } from './eventually.ts'
import { Frr } from './frr.ts'
import type { Topology, TopologyNode } from './topology.ts'

/** containerlab's default for the links between nodes. */
const LINK_MTU = 9500

/** Namespaces, links, addresses, and an FRR in every router. */
export async function buildFabric(topology: Topology): Promise<ReadonlyMap<string, Frr>> {
  await run(['ip', '-batch', '-'], { input: `${wiring(topology).join('\n')}\n` })
  const routers = topology.nodes.filter((node) => node.group === 'router')
  await Promise.all(topology.nodes.map((node) => furnish(node, topology)))
  const started = await Promise.all(
    routers.map(async (node): Promise<[string, Frr]> => {
      const frr = new Frr(node.name)
      await frr.start(await readFile(node.binds.get('/etc/frr/frr.conf') ?? '/dev/null', 'utf8'))
      return [node.name, frr]
    }),
  )
  return new Map(started)
}

/** Ends every process in every namespace and removes them all, whoever made them. */
export async function destroyFabric(): Promise<void> {
  const listed = await run(['ip', 'netns', 'list'])
  const names = listed.split('\n').flatMap((line) => line.split(' ')[0] || [])
  for (const name of names) await endProcesses(name)
  if (names.length > 0) await run(['ip', '-batch', '-'], { input: names.map((name) => `netns del ${name}\n`).join('') })
  await rm('/run/frr', { recursive: true, force: true })
  await run(['install', '-d', '-o', 'frr', '-g', 'frr', '/run/frr'])
}

/** Kills what runs in a namespace. */
export async function endProcesses(namespace: string): Promise<void> {
  await eventually(`no process in ${namespace}`, async () => {
    const pids = (await attempt(['ip', 'netns', 'pids', namespace])).stdout
      .split('\n')
      .flatMap((pid) => Number(pid) || [])
    for (const pid of pids) await attempt(['kill', '-KILL', String(pid)])
    return pids.length === 0
  })
}

/** Everything that is a link or a namespace, as `ip -batch` takes it. */
function wiring(topology: Topology): string[] {
  return [
    ...topology.nodes.map((node) => `netns add ${node.name}`),
    ...topology.links.map(
      ([a, b]) =>
        `link add ${a.interface} mtu ${LINK_MTU} netns ${a.node} type veth ` +
        `peer name ${b.interface} mtu ${LINK_MTU} netns ${b.node}`,
    ),
  ]
}

/** Sysctls, links up, then the node's own commands. */
async function furnish(node: TopologyNode, topology: Topology): Promise<void> {
  const ends = topology.links.flat().filter((end) => end.node === node.name)
  const script = [
    ...Object.entries(node.sysctls).map(([key, value]) => `echo ${value} > /proc/sys/${key.replaceAll('.', '/')}`),
    ...batches(['ip link set lo up', ...ends.map((end) => `ip link set ${end.interface} up`), ...node.exec]),
  ]
  await run(['nsenter', `--net=/run/netns/${node.name}`, 'sh', '-eu'], { input: script.join('\n') })
}

/** Puts runs of `ip`, `ip -6` and `bridge` commands into one process each. Exported for its test. */
export function batches(commands: readonly string[]): string[] {
  const script: string[] = []
  let open = ''
  for (const command of commands) {
    const [, program = '', rest = ''] = /^((?:ip|bridge)(?: -\S+)*) (.*)$/.exec(command) ?? []
    if (program !== open) {
      if (open !== '') script.push('END')
      if (program !== '') script.push(`${program} -batch - <<'END'`)
      open = program
    }
    script.push(program === '' ? command : rest)
  }
  return open === '' ? script : [...script, 'END']
}
