/**
 * The files in `--state-dir`, for people to read but the last two, which are the controller's own:
 *
 *     resources/L3VNI-red.yaml   status of a resource
 *     nodes/node1.yaml           a node that is known: its numbers and how it fares
 *     problems.yaml              what is wrong with the configuration's files
 *     numbers.json               the ledger
 *     config.json                last good files with their Secrets
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { apiVersion } from '../../api/kinds/kind.ts'
import type { Labels } from '../../api/kinds/selector.ts'
import { writeDurably } from '../../files/durable.ts'
import type { Log } from '../../log/log.ts'
import { messageOf } from '../../log/log.ts'
import type { RouterNodeDetail, RouterNodeState } from '../status/router-node-status.ts'
import type { RouterNodeSpec } from './fabric-store.ts'
import { DECLARED_KINDS, keyOf, type DeclaredRef, type ResourceStatus } from './world.ts'

/** A node's file: a RouterNode as Kubernetes would show it. */
export interface NodeFile {
  readonly metadata: { readonly name: string; readonly labels?: Labels }
  readonly spec?: RouterNodeSpec
  readonly status?: Partial<RouterNodeState & RouterNodeDetail>
}

/** RFC 1123; it becomes `NAME.yaml.new`, and names of files end at 255 characters. */
const NODE_NAME = /^[a-z0-9]([-a-z0-9.]{0,244}[a-z0-9])?$/

/** Whether a node of that name can have a file. */
export function isNodeName(name: string): boolean {
  return NODE_NAME.test(name)
}

export class StateDirectory {
  readonly path: string
  readonly nodesPath: string
  readonly configPath: string
  readonly #log: Log

  /** Makes it. @throws when that cannot be done */
  constructor(path: string, log: Log) {
    this.path = path
    this.nodesPath = join(path, 'nodes')
    this.configPath = join(path, 'config.json')
    this.#log = log
    for (const directory of [this.nodesPath, join(path, 'resources')])
      mkdirSync(directory, { recursive: true, mode: 0o700 })
  }

  /** Of the nodes whose file is there. */
  nodeNames(): readonly string[] {
    const files = readdirSync(this.nodesPath).filter((name) => name.endsWith('.yaml'))
    return files.map((name) => name.slice(0, -'.yaml'.length))
  }

  readNodes(): Map<string, NodeFile> {
    return new Map(
      this.nodeNames().flatMap((node): [string, NodeFile][] => {
        const file = this.#read<NodeFile>(this.#nodePath(node))
        if (file?.metadata?.name === node) return [[node, file]]
        // The node is known all the same; its number is in the ledger.
        return isNodeName(node) ? [[node, { metadata: { name: node } }]] : []
      }),
    )
  }

  writeNode(file: NodeFile): void {
    writeWhole(this.#nodePath(file.metadata.name), stringify({ apiVersion, kind: 'RouterNode', ...file }))
  }

  removeNode(name: string): void {
    rmSync(this.#nodePath(name), { force: true })
  }

  readStatuses(): Map<string, ResourceStatus> {
    const directory = join(this.path, 'resources')
    return new Map(
      readdirSync(directory).flatMap((name): [string, ResourceStatus][] => {
        const match = /^([A-Za-z0-9]+)-(.+)\.yaml$/.exec(name)
        const kind = DECLARED_KINDS.find((each) => each === match?.[1])
        const read = this.#read<{ status?: ResourceStatus }>(join(directory, name))?.status
        if (kind === undefined || read === undefined || !Array.isArray(read.conditions)) return []
        return [[keyOf({ kind, name: match?.[2] ?? '' }), read]]
      }),
    )
  }

  writeStatus(ref: DeclaredRef, generation: number, status: ResourceStatus): void {
    const { kind, name } = ref
    writeWhole(this.#statusPath(ref), stringify({ apiVersion, kind, metadata: { name, generation }, status }))
  }

  removeStatus(ref: DeclaredRef): void {
    rmSync(this.#statusPath(ref), { force: true })
  }

  /** No file where there are none. */
  writeProblems(problems: readonly string[]): void {
    const path = join(this.path, 'problems.yaml')
    if (problems.length === 0) rmSync(path, { force: true })
    else writeDurably(path, stringify(problems))
  }

  /** undefined: there is none yet. */
  readLedger(): string | undefined {
    try {
      return readFileSync(this.#ledger, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  writeLedger(text: string): void {
    writeDurably(this.#ledger, text)
  }

  /** What cannot be read is written anew. */
  #read<T>(path: string): T | undefined {
    try {
      return parse(readFileSync(path, 'utf8')) as T
    } catch (error) {
      this.#log.warn('a state file cannot be read, it is written anew', { path, error: messageOf(error) })
      return undefined
    }
  }

  get #ledger(): string {
    return join(this.path, 'numbers.json')
  }

  #nodePath(name: string): string {
    return join(this.nodesPath, `${name}.yaml`)
  }

  #statusPath({ kind, name }: DeclaredRef): string {
    return join(this.path, 'resources', `${kind}-${name}.yaml`)
  }
}

/** Not synced: what a power cut takes is written again; numbers are in the ledger, and that is synced. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
