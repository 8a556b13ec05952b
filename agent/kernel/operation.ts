/** One thing to do in the kernel, and what became of it. */
import type { ResourceRef } from '../../api/plan/node-plan.ts'
import type { KernelObject, Stage } from './objects.ts'

export interface Operation {
  /** `raise` brings a link up that exists, `lower` down. For a NIC `create` brings it into the router and `delete` gives it back. */
  readonly do: 'create' | 'change' | 'raise' | 'lower' | 'delete'
  readonly stage: Stage
  readonly object: KernelObject
  /** What is there now, for a change and a deletion. */
  readonly was?: KernelObject
  readonly for: ResourceRef
  /** In words: `create link vx100 in router`. */
  readonly text: string
  /** Keys of objects: when the operation on one of them fails, this one waits for it. */
  readonly after: readonly string[]
  /** Why it is not even tried. */
  readonly refused?: Refusal
}

export type Reason =
  /** A foreign link has the name. */
  | 'NameTaken'
  | 'NicMissing'
  /** The bridge that must exist does not, or is none. */
  | 'MasterMissing'
  /** Something it needs failed. */
  | 'Waiting'
  /** The kernel (or the disk) refused. */
  | 'KernelRefused'

export interface Refusal {
  readonly reason: Reason
  readonly message: string
  /** Trying again will not help until something else changes. */
  readonly permanent: boolean
}

export interface KernelFailure extends Refusal {
  readonly for: ResourceRef
}

export function describe(what: Operation['do'], object: KernelObject): string {
  const { namespace } = object
  switch (object.type) {
    case 'link':
      if (object.kind === 'nic' && what === 'create') return `bring NIC ${object.name} into the router`
      if (object.kind === 'nic' && what === 'delete') return `give NIC ${object.name} back to the host`
      return `${what} ${object.kind} ${object.name} in ${namespace}`
    case 'vlan':
      return `${what} VNI ${object.vni} as VLAN ${object.vid} of ${object.bridge} in ${namespace}`
    case 'address':
      return `${what} address ${object.address} on ${object.link} in ${namespace}`
    case 'route':
      return `${what} route ${object.destination} table ${object.table} in ${namespace}`
    case 'sysctl':
      return `set ${object.path} = ${object.value} in ${namespace}`
    case 'rule':
      return object.purpose === 'own'
        ? `look up IPv${object.family} addresses of the ${namespace} itself at priority ${object.priority}`
        : `close VRFs of the ${namespace} for IPv${object.family} at priority ${object.priority}`
  }
}
