/** Who is measured: each gets a node from one plan to the next, and says when it believes to be done. */
import type { NodePlan } from '../../api/plan/node-plan.ts'
import { desired as desiredFrr } from '../../agent/frr/desired.ts'
import { diff } from '../../agent/frr/diff.ts'
import type { Command } from '../../agent/frr/tree.ts'
import { format, parse } from '../../agent/frr/text.ts'
import { desired as desiredKernel } from '../../agent/kernel/desired.ts'
import type { KernelObject } from '../../agent/kernel/objects.ts'
import { writeFileSync } from 'node:fs'
import { making, removing, without, type Batch, type Making } from './batch.ts'
import { command } from './command.ts'
import { vtyshText } from './lines.ts'
import type { Node } from './node.ts'
import type { Shape } from './sample.ts'
import type { View } from './view.ts'
import { NIC } from './workload.ts'

export interface Change {
  readonly from: NodePlan
  readonly to: NodePlan
}

export interface Party {
  /** Prepares, off the clock; what comes back does the change. */
  readonly change: (node: Node, change: Change, view: View) => Promise<() => Promise<void>>
}

/** What the kernel should hold, in either shape: VNIs of the single one are placed as on a node that had none. */
export function kernelObjects(plan: NodePlan, shape: Shape): readonly KernelObject[] {
  return desiredKernel(plan, {
    nics: { [NIC.name]: { mtu: NIC.mtu, addresses: [], routes: [] } },
    datapath: shape === 'single' ? { shape, places: new Map() } : { shape },
  })
}

/** The agent. It is told, and works by itself. */
export const ours: Party = {
  change: async (node, { to }) => {
    const send = node.prepared(to)
    return async () => send()
  },
}

/**
 * The least that the tools need which are there: `ip -batch`, `bridge -batch` and `vtysh -f`, with what changes alone, in
 * the order in which zebra keeps up: overlay, FRR, and ports when zebra has the VNIs.
 */
export function floor(shape: Shape): Party {
  return {
    change: async (node, { from, to }, view) => {
      const { come, go } = batchesOf(from, to, shape)
      const commands = diff(desiredFrr(to), desiredFrr(from))
      // A process for each daemon enters its lines by itself: what must go before the rest needs a file of its own.
      const [first, rest] = [commands.filter(letsGo), commands.filter((each) => !letsGo(each))]
      const files = [first, rest].flatMap((part, at) =>
        part.length === 0 ? [] : [fileOf(node, `${at}`, vtyshText(part))],
      )
      const signs = comingIn(from, to)
      return async () => {
        await batched(node, come.overlay)
        for (const file of files) await command(['vtysh', '-N', node.router, '-f', file])
        await view.have(signs)
        await batched(node, come.ports)
        await batched(node, go)
      }
    },
  }
}

/** bgpd lets go of a VRF only when zebra knows it without a VNI. */
const letsGo = ({ context, line }: Command): boolean =>
  context[0]?.startsWith('vrf ') === true && line.startsWith('no vni ')

/** A few segments of a large change, by which can be told that zebra has them all. */
function comingIn(from: NodePlan, to: NodePlan): readonly (readonly [vni: number, vrf: string])[] {
  const plain = ({ segments }: NodePlan): number[] =>
    segments.flatMap(({ vni, vrf }) => (vrf === undefined ? [vni] : []))
  const known = new Set(plain(from))
  return plain(to)
    .filter((vni) => !known.has(vni))
    .slice(-3)
    .map((vni) => [vni, 'default'])
}

/**
 * What others do: the kernel's objects one request at a time, a bridge and a VXLAN device for each VNI; then the whole
 * frr.conf written anew, and frr-reload.py run twice, to see whether it will do and to do it. Here it gets the kernel's
 * changes for nothing: it needs not read what is there.
 */
export const baseline: Party = {
  change: async (node, { from, to }) => {
    const { come, go } = batchesOf(from, to, 'per-vni')
    const head = await headOf(node)
    const text = head + format(desiredFrr(to))
    return async () => {
      await batched(node, [...come.overlay, ...come.ports])
      const file = fileOf(node, 'frr', text)
      for (const what of ['--test', '--reload'])
        await command(['/usr/lib/frr/frr-reload.py', what, '--pathspace', node.router, file])
      await batched(node, go)
    }
  },
}

/** What is left to be entered in FRR: nothing, when it has what the plan says. */
export async function leftInFrr(node: Node, plan: NodePlan): Promise<readonly string[]> {
  const running = parse(await command(['vtysh', '-N', node.router, '-c', 'show running-config']))
  const own = { ...running, body: running.body.filter(({ line }) => OURS.test(line)) }
  return diff(desiredFrr(plan), own).map(({ context, line }) => [...context, line].join(' / '))
}

const OURS = /^(router bgp|(ip|ipv6) prefix-list|route-map|bfd$|vrf )/

/** What FRR says of itself at the head of its configuration; without it frr-reload.py would take it away. */
async function headOf(node: Node): Promise<string> {
  const running = await command(['vtysh', '-N', node.router, '-c', 'show running-config no-header'])
  return running
    .split('\n')
    .filter((line) => /^(frr |hostname |log |service |no ipv)/.test(line))
    .map((line) => `${line}\n`)
    .join('')
}

function batchesOf(from: NodePlan, to: NodePlan, shape: Shape): { come: Making; go: readonly Batch[] } {
  const [before, after] = [kernelObjects(from, shape), kernelObjects(to, shape)]
  return { come: making(without(after, before), process.pid), go: removing(without(before, after)) }
}

export async function batched(node: Node, batches: readonly Batch[]): Promise<void> {
  for (const { tool, namespace, lines } of batches) {
    const where = namespace === 'router' ? ['-n', node.router] : []
    await command([tool, ...where, '-batch', '-'], lines.map((line) => `${line}\n`).join(''))
  }
}

function fileOf(node: Node, name: string, text: string): string {
  const file = `/tmp/${node.router}-${name}.conf`
  writeFileSync(file, text, { mode: 0o600 })
  return file
}
