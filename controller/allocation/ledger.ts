/**
 * The ledger: which node has which number and addresses, also of nodes that are gone and whose numbers rest. It is what
 * must not get lost, so it is kept apart from the RouterNodes, which Kubernetes removes together with their Nodes.
 */
import * as z from 'zod'
import { parseAddress } from '../../api/address/prefix.ts'

export interface LedgerEntry {
  readonly node: string
  /** From 0. */
  readonly index: number
  /** At most one a family; empty: there was none to give, or none was asked for. */
  readonly vteps: readonly string[]
  readonly routerID?: string
  /** Since when the node is not there, milliseconds since the epoch. */
  readonly goneSince?: number
  /** No Underlay is on the node: its addresses are kept for it, and given up when the next Underlay has other pools. */
  readonly idle?: true
}

/** By node; sorted by name. */
export type Ledger = ReadonlyMap<string, LedgerEntry>

export class LedgerError extends Error {
  readonly code = 'LEDGER'
}

const address = z
  .string()
  .max(39)
  .refine((text) => parseAddress(text) !== undefined, 'is not an address')

const schema = z.strictObject({
  version: z.literal(1),
  nodes: z.record(
    z.string().min(1).max(253),
    z.strictObject({
      index: z.int().min(0).max(16777215),
      vteps: z.array(address).max(2).default([]),
      /** Absent: the IPv4 VTEP address, if there is one. Null: none. */
      routerID: address.nullable().optional(),
      goneSince: z.iso.datetime().optional(),
      idle: z.literal(true).optional(),
    }),
  ),
})

/** JSON, one line a node, so that a person can read and compare it. 5,000 nodes stay below 1 MiB, what a ConfigMap holds. */
export function encodeLedger(ledger: Ledger): string {
  const lines = [...ledger.values()].map(({ node, index, vteps, routerID, goneSince, idle }) => {
    const value = {
      index,
      ...(vteps.length > 0 ? { vteps } : {}),
      ...(routerID === ipv4Of(vteps) ? {} : { routerID: routerID ?? null }),
      ...(goneSince === undefined ? {} : { goneSince: new Date(goneSince).toISOString() }),
      ...(idle ? { idle } : {}),
    }
    return `${JSON.stringify(node)}:${JSON.stringify(value)}`
  })
  return `{"version":1,"nodes":{\n${lines.join(',\n')}\n}}\n`
}

/** `where` is for the message. @throws LedgerError when it is not a ledger, or gives one number to two nodes */
export function decodeLedger(where: string, text: string): Ledger {
  const remedy = 'restore it, or remove it: then the numbers are taken from the RouterNodes'
  const result = schema.safeParse(parsed(where, text, remedy))
  if (!result.success) {
    const [issue] = result.error.issues
    throw new LedgerError(`${where}: ${issue?.path.join('.')}: ${issue?.message}; ${remedy}`)
  }
  const entries = Object.entries(result.data.nodes).map(
    ([node, { goneSince, routerID, idle, ...rest }]): LedgerEntry => {
      const id = routerID === null ? undefined : (routerID ?? ipv4Of(rest.vteps))
      return {
        node,
        ...rest,
        ...(id === undefined ? {} : { routerID: id }),
        ...(goneSince === undefined ? {} : { goneSince: Date.parse(goneSince) }),
        ...(idle ? { idle } : {}),
      }
    },
  )
  const holders = new Map<string, string>()
  for (const { node, index, vteps, routerID } of entries)
    for (const number of new Set([`index ${index}`, ...vteps, ...(routerID === undefined ? [] : [routerID])])) {
      const other = holders.get(number)
      if (other !== undefined) throw new LedgerError(`${where}: ${other} and ${node} both have ${number}; ${remedy}`)
      holders.set(number, node)
    }
  return ledgerOf(entries)
}

export function ledgerOf(entries: Iterable<LedgerEntry>): Ledger {
  const sorted = [...entries].sort((a, b) => (a.node < b.node ? -1 : 1))
  return new Map(sorted.map((each) => [each.node, each]))
}

const ipv4Of = (vteps: readonly string[]): string | undefined => vteps.find((vtep) => !vtep.includes(':'))

function parsed(where: string, text: string, remedy: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new LedgerError(`${where} is not JSON; ${remedy}`, { cause: error })
  }
}
