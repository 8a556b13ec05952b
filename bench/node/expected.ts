/** What a plan must have come to, whoever put it there: VNIs in zebra's eyes, links and addresses in the kernel's. Pure. */
import type { NodePlan } from '../../api/plan/node-plan.ts'
import type { KernelObject } from '../../agent/kernel/objects.ts'

export interface Expected {
  /** VRF by VNI. */
  readonly l2: ReadonlyMap<number, string>
  readonly l3: ReadonlyMap<number, string>
  /** Kind by name, of the links in the router. */
  readonly links: ReadonlyMap<string, string>
  /** Of the links in the host. */
  readonly hostLinks: ReadonlySet<string>
  /** `10.0.0.1/24 br110`, in the router. */
  readonly addresses: ReadonlySet<string>
}

/** `objects`: what the kernel should hold for the plan, in the contestant's shape. */
export function expectedOf(plan: NodePlan, objects: readonly KernelObject[]): Expected {
  const links = objects.filter((object) => object.type === 'link')
  const router = links.filter(({ namespace, kind }) => namespace === 'router' && kind !== 'loopback' && kind !== 'nic')
  return {
    l2: new Map(plan.segments.map(({ vni, vrf }) => [vni, vrf ?? 'default'])),
    l3: new Map(plan.vrfs.flatMap(({ name, l3vni }) => (l3vni === undefined ? [] : [[l3vni.vni, name] as const]))),
    links: new Map(router.map(({ name, kind }) => [name, kind])),
    hostLinks: new Set(links.filter(({ namespace }) => namespace === 'host').map(({ name }) => name)),
    addresses: new Set(
      objects.flatMap((object) =>
        object.type === 'address' && object.namespace === 'router' ? [`${object.address} ${object.link}`] : [],
      ),
    ),
  }
}

/** What zebra says of one VNI. */
export interface Known {
  readonly vni: number
  readonly type: 'L2' | 'L3'
  readonly vrf: string
  /** It has its VXLAN device, and of an L3VNI also that it is up. */
  readonly whole: boolean
}

/** An answer of `show evpn vni N json`, or one of `show evpn vni detail json`. */
export function knownOf(json: unknown): Known | undefined {
  if (typeof json !== 'object' || json === null) return undefined
  const of = json as Readonly<Record<string, unknown>>
  if (typeof of['vni'] !== 'number') return undefined
  const type = of['type'] === 'L3' ? 'L3' : 'L2'
  const device = of['vxlanIf'] ?? of['vxlanIntf'] ?? of['vxlanInterface']
  const up = type === 'L2' || of['state'] === undefined || of['state'] === 'Up'
  return {
    vni: of['vni'],
    type,
    vrf: String(of['tenantVrf']),
    whole: typeof device === 'string' && device !== 'None' && up,
  }
}

/** What is not as expected, in words; empty: all is. */
export function differences(
  expected: Expected,
  zebra: readonly Known[],
  links: ReadonlyMap<string, string>,
  hostLinks: ReadonlySet<string>,
  addresses: ReadonlySet<string>,
): readonly string[] {
  const said = new Map(zebra.map((known) => [`${known.type} ${known.vni} in ${known.vrf}`, known.whole]))
  const wanted = [
    ...[...expected.l2].map(([vni, vrf]) => `L2 ${vni} in ${vrf}`),
    ...[...expected.l3].map(([vni, vrf]) => `L3 ${vni} in ${vrf}`),
  ]
  const kinds = (map: ReadonlyMap<string, string>): string[] => [...map].map(([name, kind]) => `${kind} ${name}`)
  return [
    ...wanted.filter((each) => said.get(each) !== true).map((each) => `zebra does not have VNI ${each}`),
    ...more([...said.keys()], wanted).map((each) => `zebra has VNI ${each}`),
    ...more(kinds(expected.links), kinds(links)).map((each) => `there is no ${each}`),
    ...more(kinds(links), kinds(expected.links)).map((each) => `there is ${each}`),
    ...more([...expected.hostLinks], [...hostLinks]).map((each) => `the host has no ${each}`),
    ...more([...hostLinks], [...expected.hostLinks]).map((each) => `the host has ${each}`),
    ...more([...expected.addresses], [...addresses]).map((each) => `there is no address ${each}`),
  ]
}

/** Of `these` those that are not among `those`. */
function more(these: readonly string[], those: readonly string[]): readonly string[] {
  const known = new Set(those)
  return these.filter((each) => !known.has(each))
}
