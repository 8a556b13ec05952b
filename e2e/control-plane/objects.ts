/** Objects as people write them, as short as a test wants them. */
import type { KubeObject } from './client.ts'

export const root = '/apis/nodeleaf.io/v1alpha1'
export const namespace = 'nodeleaf-system'

const plurals = { Underlay: 'underlays', L3VNI: 'l3vnis', L2VNI: 'l2vnis', L3Passthrough: 'l3passthroughs' } as const
export type Declared = keyof typeof plurals

export const pathOf = (kind: Declared | 'RouterNode', name: string): string =>
  `${root}/${kind === 'RouterNode' ? 'routernodes' : plurals[kind]}/${name}`

export const declared = (kind: Declared, name: string, spec: object): KubeObject => ({
  apiVersion: 'nodeleaf.io/v1alpha1',
  kind,
  metadata: { name },
  spec,
})

/** Session with one neighbour, addresses from 100.65.0.0/24. */
export const underlay = (change: object = {}, neighbor: object = {}): KubeObject =>
  declared('Underlay', 'fabric', {
    asn: 64514,
    interfaces: [{ name: 'eth1' }],
    vtep: { cidrs: ['100.65.0.0/24'] },
    neighbors: [{ address: '192.168.10.1', type: 'External', ...neighbor }],
    ...change,
  })

export const l2vni = (name: string, vni: number, change: object = {}): KubeObject =>
  declared('L2VNI', name, { vni, ...change })

export const l3vni = (name: string, vni: number, vrf: string, change: object = {}): KubeObject =>
  declared('L3VNI', name, { vni, vrf, ...change })

export const secret = (name: string, data: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
})
