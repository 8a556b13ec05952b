/**
 * Reads a containerlab topology: the part of its language that clab/fabric.clab.yml uses.
 * https://containerlab.dev/manual/nodes/ and https://containerlab.dev/manual/topo-def-file/
 */
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'

export interface TopologyNode {
  readonly name: string
  /** The containerlab group: router, host or node. */
  readonly group: string
  readonly sysctls: Readonly<Record<string, string>>
  /** Commands that run in the node once its links are there; words, not shell. */
  readonly exec: readonly string[]
  /** Where a file of the node comes from: path in the node -> path here. */
  readonly binds: ReadonlyMap<string, string>
}

export interface Endpoint {
  readonly node: string
  readonly interface: string
}

export interface Topology {
  readonly name: string
  readonly nodes: readonly TopologyNode[]
  readonly links: readonly (readonly [Endpoint, Endpoint])[]
}

/** A topology file that cannot be used. */
export class TopologyError extends Error {
  readonly code = 'TOPOLOGY'
}

interface Settings {
  readonly group?: string
  readonly kind?: string
  readonly sysctls?: Readonly<Record<string, string | number>>
  readonly exec?: readonly string[]
  readonly binds?: readonly string[]
}

interface Document {
  readonly name?: string
  readonly topology?: {
    readonly defaults?: Settings
    readonly kinds?: Readonly<Record<string, Settings>>
    readonly groups?: Readonly<Record<string, Settings>>
    readonly nodes?: Readonly<Record<string, Settings>>
    readonly links?: readonly { readonly endpoints?: readonly string[] }[]
  }
}

/** Reads the text of a topology file; `path` is where it was read, since binds are relative to it. @throws TopologyError */
export function parseTopology(text: string, path: string): Topology {
  const document = parse(text) as Document
  const { defaults = {}, kinds = {}, groups = {}, nodes = {}, links = [] } = document.topology ?? {}
  const named = Object.entries(nodes).map(([name, own]): TopologyNode => {
    const group = own.group ?? defaults.group ?? ''
    const kind = own.kind ?? defaults.kind ?? ''
    // From the general to the particular, as containerlab does: lists are joined, maps overlaid.
    const layers = [defaults, kinds[kind] ?? {}, groups[group] ?? {}, own]
    return {
      name,
      group,
      sysctls: Object.fromEntries(
        layers.flatMap((layer) => Object.entries(layer.sysctls ?? {}).map(([key, value]) => [key, String(value)])),
      ),
      exec: layers.flatMap((layer) => layer.exec ?? []),
      binds: new Map(layers.flatMap((layer) => layer.binds ?? []).map((bind) => bound(bind, dirname(path)))),
    }
  })
  const known = new Set(named.map((node) => node.name))
  return {
    name: document.name ?? '',
    nodes: named,
    links: links.map((link) => {
      const [a, b, ...more] = (link.endpoints ?? []).map((end) => endpoint(end, known))
      if (a === undefined || b === undefined || more.length > 0) {
        throw new TopologyError(`${path}: a link needs two endpoints, not ${JSON.stringify(link.endpoints)}`)
      }
      return [a, b] as const
    }),
  }
}

function bound(bind: string, folder: string): [string, string] {
  const [source = '', target = source] = bind.split(':')
  return [target, resolve(folder, source)]
}

function endpoint(text: string, known: ReadonlySet<string>): Endpoint {
  const [node = '', name = ''] = text.split(':')
  if (!known.has(node) || name === '')
    throw new TopologyError(`"${text}" is not NODE:INTERFACE of a node of the topology`)
  return { node, interface: name }
}
