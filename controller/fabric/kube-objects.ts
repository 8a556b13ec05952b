/** What is kept of each object of the API server: what plans and statuses need, and no more. */
import { checkResource, checkSecret } from '../../api/manifest/check.ts'
import type { Issue } from '../../api/manifest/issue.ts'
import { pathText } from '../../api/manifest/path.ts'
import type { Kind } from '../../api/kinds/kind.ts'
import type { Labels } from '../../api/kinds/selector.ts'
import type { Secret } from '../../api/snapshot/snapshot.ts'
import type { KubeObject, ObjectMeta } from '../kube/object.ts'
import { detailDigest, digestOf, stateDigest } from './digest.ts'
import { routerNodeOf, sameNumbers } from './router-node-spec.ts'
import type { Condition, Declared, DeclaredKind, NodeSeen, ResourceStatus, RouterNodeSeen } from './world.ts'

interface Kept {
  readonly metadata: ObjectMeta
}

export interface KeptDeclared extends Kept {
  readonly declared: Declared
}
export interface KeptNode extends Kept {
  readonly node: NodeSeen
}
export interface KeptRouterNode extends Kept {
  readonly routerNode: RouterNodeSeen
}
export interface KeptSecret extends Kept {
  readonly secret: Secret | undefined
}

const kept = ({ name, uid, resourceVersion, generation }: ObjectMeta): ObjectMeta => ({
  name,
  uid,
  resourceVersion,
  generation,
})

/** A change of the status alone leaves what was checked the same object. */
export function keptDeclared(kind: Kind & { name: DeclaredKind }, raw: KubeObject, old?: KeptDeclared): KeptDeclared {
  const { name, uid = '', generation = 1 } = raw.metadata
  const same = old?.declared.uid === uid && old.declared.generation === generation
  const status = statusOf(raw)
  return {
    metadata: kept(raw.metadata),
    declared: {
      ref: { kind: kind.name, name },
      uid,
      generation,
      checked: same ? old.declared.checked : checked(kind, raw),
      ...(status === undefined ? {} : { status }),
    },
  }
}

function checked(kind: Kind & { name: DeclaredKind }, raw: KubeObject): Declared['checked'] {
  const { name, creationTimestamp, labels } = raw.metadata
  const spec = 'spec' in raw ? raw.spec : undefined
  const metadata = { name, ...(creationTimestamp ? { creationTimestamp } : {}), ...(labels ? { labels } : {}) }
  const result = checkResource(kind, { apiVersion: raw.apiVersion, kind: kind.name, metadata, spec })
  if ('issues' in result) return { problem: result.issues.map(textOf).join('. ') }
  return result.object.kind === 'RouterNode' ? { problem: 'is a RouterNode' } : { resource: result.object }
}

const textOf = ({ path, message, remedy }: Issue): string => `${pathText(path)}: ${message}; ${remedy}`

function statusOf(raw: KubeObject): ResourceStatus | undefined {
  const status = recordOf('status' in raw ? raw.status : undefined)
  if (!Array.isArray(status['conditions'])) return undefined
  const nodes = status['nodes'] as ResourceStatus['nodes'] | undefined
  return { conditions: status['conditions'] as Condition[], ...(nodes === undefined ? {} : { nodes }) }
}

/** A change of anything but the labels leaves it the same object. */
export function keptNode({ metadata }: KubeObject, old?: KeptNode): KeptNode {
  const { name, uid = '', labels = {} } = metadata
  const same = old?.node.uid === uid && sameLabels(old.node.labels, labels)
  return { metadata: kept(metadata), node: same ? old.node : { name, uid, labels } }
}

function sameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

/** Sessions and VNIs of thousands of nodes are not kept, only whether they are what they were. */
export function keptRouterNode(raw: KubeObject, old?: KeptRouterNode): KeptRouterNode {
  const { name, uid = '', ownerReferences } = raw.metadata
  const spec = recordOf('spec' in raw ? raw.spec : undefined)
  const addresses = recordOf(spec['addresses'])
  const status = recordOf('status' in raw ? raw.status : undefined)
  const owner = ownerReferences?.find(({ kind }) => kind === 'Node')
  const id = addresses['routerID']
  const routerID = typeof id === 'string' ? id : undefined
  const index = Number(spec['index'])
  const vteps = Array.isArray(addresses['vteps']) ? addresses['vteps'].map(String) : []
  const before = old?.routerNode.resource
  const same = before !== undefined && sameNumbers(before, index, vteps, routerID)
  return {
    metadata: kept(raw.metadata),
    routerNode: {
      name,
      uid,
      ...(owner === undefined ? {} : { ownerUid: owner.uid }),
      resource: same ? before : routerNodeOf(name, index, vteps, routerID),
      specDigest: digestOf(spec),
      conditions: Array.isArray(status['conditions']) ? (status['conditions'] as Condition[]) : [],
      stateDigest: stateDigest(status),
      detailDigest: detailDigest(status),
    },
  }
}

/** undefined: its contents are of no use; then it is as if its keys were missing. */
export function keptSecret(raw: KubeObject): KeptSecret {
  const { name, uid, resourceVersion } = raw.metadata
  const result = checkSecret({ metadata: { name }, data: 'data' in raw ? (raw.data ?? {}) : {} })
  return { metadata: { name, uid, resourceVersion }, secret: 'object' in result ? result.object : undefined }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
