/** What the suites of an API server share: one server a file, and the objects that its tests are about. */
import test from 'ava'
import type { Client, KubeObject } from './client.ts'
import { startCluster, type Cluster } from './cluster.ts'
import { root } from './objects.ts'

export const merge = 'application/merge-patch+json'
export const maps = '/api/v1/namespaces/default/configmaps'

export interface ApiSuite {
  /** As the administrator. */
  readonly client: Client
  /** Whether the server is the one in memory. */
  readonly inMemory: boolean
  create(l3vni: KubeObject): Promise<KubeObject>
  /** The L3VNI of that name. */
  read(name: string): Promise<KubeObject>
}

/** Starts an API server before the first test of the file and its other hooks, and ends it after the last. */
export function apiSuite(): ApiSuite {
  let cluster: Cluster
  test.serial.before(async (t) => {
    t.timeout(180_000)
    cluster = await startCluster()
    t.log(`API server: ${cluster.name}`)
  })
  test.after.always(() => cluster?.[Symbol.asyncDispose]())
  return {
    get client() {
      return cluster.client
    },
    get inMemory() {
      return cluster.memory !== undefined
    },
    create: (body) => cluster.client.ask('POST', `${root}/l3vnis`, { body }),
    read: (name) => cluster.client.ask('GET', `${root}/l3vnis/${name}`),
  }
}

export const l3vni = (name: string, spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: 'nodeleaf.io/v1alpha1',
  kind: 'L3VNI',
  metadata: { name, ...metadata },
  spec: { vni: 1, vrf: 'red', ...spec },
})

export const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
})

export const ready = (status: string, more: object = {}): object => ({
  type: 'Ready',
  status,
  reason: 'Because',
  message: 'm',
  lastTransitionTime: '2026-01-01T00:00:00Z',
  ...more,
})
