/** A node's reboot, as far as networking goes: everything that is not on its disk is gone, NICs are as the host makes them. */
import { rm } from 'node:fs/promises'
import { attempt, run } from './command.ts'
import { eventually } from './eventually.ts'
import { endProcesses } from './fabric.ts'
import type { Lab } from './lab.ts'
import type { LabNode } from './node.ts'

/** Stops the agent, FRR and the speaker, removes the router and nodeleaf's links, configures the NICs as at boot. Workloads end. */
export async function reboot(lab: Lab, node: LabNode): Promise<void> {
  await node.agent.kill()
  const listed = await run(['ip', 'netns', 'list'])
  const known = new Set(lab.topology.nodes.map(({ name }) => name))
  const names = listed.split('\n').flatMap((line) => line.split(' ')[0] || [])
  for (const name of names.filter((each) => !known.has(each) && !each.startsWith('router-'))) {
    await lab.removeNamespace(name)
  }
  await endProcesses(node.router.name)
  await endProcesses(node.name)
  // A veth would end with its namespace, a NIC does not.
  const nics = lab.topology.links.flat().flatMap((end) => (end.node === node.name ? [end.interface] : []))
  for (const nic of nics) {
    if ((await node.router.link(nic)) === undefined) continue
    await node.router.ip(`link set ${nic} down`, `link set ${nic} alias ""`, `link set ${nic} group default`)
    await node.router.ip(`link set ${nic} netns ${node.name}`)
  }
  await run(['ip', 'netns', 'del', node.router.name])
  const left = (await node.show('link')).filter(({ ifalias }) => String(ifalias ?? '').startsWith('nodeleaf:'))
  for (const { ifname } of left) await attempt(node.argv('ip', 'link', 'del', ifname as string))
  await rm(`/run/frr/${node.router.name}`, { recursive: true, force: true })
  await rm(`/run/frr/${node.name}`, { recursive: true, force: true })
  await rm(node.agent.runDir, { recursive: true, force: true })
  const own = lab.topology.nodes.find(({ name }) => name === node.name)
  // A reboot takes longer than the ToR waits for a graceful restart (the Underlay's restartTime).
  await node.ip(...nics.map((nic) => `link set ${nic} down`))
  const number = node.name.slice(-1)
  await eventually(`the ToRs have no route to ${node.name}`, async () => {
    const routes = await Promise.all(['tor1', 'tor2'].map((tor) => lab.router(tor).zebra('show ip route bgp json')))
    return !JSON.stringify(routes).includes(`100.65.0.${number}`)
  })
  await node.ip(...nics.map((nic) => `link set ${nic} up`))
  const exec = (own?.exec ?? []).filter((command) => command.startsWith('ip ')).map((command) => command.slice(3))
  await node.attempt(['ip', '-force', '-batch', '-'], { input: exec.join('\n') })
}
