/**
 * Which node this is: its name, its labels, and the number that its addresses come from. The number is looked for in
 * this order: `--index`, the node file, the kept number, an interface's address, the RouterNode document.
 *
 * A number that came from an interface's address is kept on disk, because the interface may move into the router and
 * take its address along, and because a node's number must not change under it.
 */
import { networkOf, parsePrefix } from '../../api/address/prefix.ts'
import type { NodeFile } from '../../api/manifest/node-file.ts'

/** Where a number came from, in the words of the user. */
export type NumberSource = '--index' | 'node file' | 'interface' | 'RouterNode'

export interface KeptNumber {
  readonly interface: string
  readonly index: number
}

export interface NodeKnowledge {
  readonly nameFlag?: string
  readonly indexFlag?: number
  readonly hostName: string
  readonly nodeFile?: NodeFile
  readonly kept?: KeptNumber
  /** Addresses with prefix length of an interface of the host, IPv4 first; empty when it is not there. */
  readonly addressesOf: (name: string) => readonly string[]
  /** The RouterNode document of a name, when there is one. */
  readonly routerNode: (
    name: string,
  ) => { readonly index: number; readonly labels: Readonly<Record<string, string>> } | undefined
}

export interface NodeIdentity {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly number:
    | { readonly index: number; readonly from: NumberSource; /** To be kept on disk. */ readonly keep?: KeptNumber }
    | { readonly problem: string }
}

export function identify(known: NodeKnowledge): NodeIdentity {
  const name = known.nameFlag ?? known.nodeFile?.name ?? known.hostName
  const document = known.routerNode(name)
  return { name, labels: { ...document?.labels, ...known.nodeFile?.labels }, number: numberOf(name, known) }
}

function numberOf(name: string, known: NodeKnowledge): NodeIdentity['number'] {
  if (known.indexFlag !== undefined) return { index: known.indexFlag, from: '--index' }
  if (known.nodeFile?.index !== undefined) return { index: known.nodeFile.index, from: 'node file' }
  const from = known.nodeFile?.indexFrom?.interface
  if (from !== undefined) return derived(from, known)
  const document = known.routerNode(name)
  if (document !== undefined) return { index: document.index, from: 'RouterNode' }
  return {
    problem:
      `node "${name}" has no number: give --index N, or --node-file with "index: N" or "indexFrom: {interface: NIC}", ` +
      `or a RouterNode document named "${name}" with spec.index in the configuration directory`,
  }
}

function derived(name: string, known: NodeKnowledge): NodeIdentity['number'] {
  if (known.kept?.interface === name) return { index: known.kept.index, from: 'interface' }
  const address = known.addressesOf(name)[0]
  const index = address === undefined ? undefined : hostPart(address)
  if (index === undefined) {
    return {
      problem:
        `the node file takes the number from interface "${name}", which ` +
        (address === undefined ? 'has no address here' : `has ${address}, whose host part is no usable number`) +
        ': configure its address, or give "index: N" in the node file',
    }
  }
  return { index, from: 'interface', keep: { interface: name, index } }
}

/**
 * The host part of an address with prefix length as a number: 11 for `192.168.10.11/24`. Undefined when it is 0 (the
 * network itself) or above 2^31, which no pool has room for.
 */
export function hostPart(cidr: string): number | undefined {
  const address = parsePrefix(cidr)
  if (address === undefined) return undefined
  const host = address.value - networkOf(address).value
  return host > 0n && host < 1n << 31n ? Number(host) : undefined
}
