/** NICs of the Underlay, VRFs and bridges are network interfaces, and a name is only one of them. */
import type { AnyResource } from '../kinds/kinds.ts'
import type { Claim, Rule } from './rule.ts'

export const linkNames: Rule = {
  reason: 'NameConflict',
  claims,
  message: (mine, other) =>
    `the name ${mine.value} is the network interface that ${other.name} names in ${other.claim.field}`,
  remedy: 'use another name',
}

function claims(resource: AnyResource): readonly Claim[] {
  switch (resource.kind) {
    case 'Underlay': {
      const { interfaces, neighbors } = resource.spec
      const nics = interfaces.map((each, i) => nic(`spec.interfaces[${i}].name`, each.name))
      const peers = neighbors.flatMap((each, i) =>
        each.interface === undefined ? [] : nic(`spec.neighbors[${i}].interface`, each.interface),
      )
      return [...nics, ...peers]
    }
    case 'L3VNI':
      return [vrf(resource.spec.vrf)]
    case 'L2VNI': {
      const bridge = resource.spec.hostMaster?.name
      return [
        ...(resource.spec.vrf === undefined ? [] : [vrf(resource.spec.vrf)]),
        ...(bridge === undefined
          ? []
          : [
              {
                field: 'spec.hostMaster.name',
                value: bridge,
                takes: [`bridge ${bridge}`],
                needsFree: [`nic ${bridge}`],
              },
            ]),
      ]
    }
    default:
      return []
  }
}

/** A NIC comes from the host, where the bridges are, and goes to the router, where the VRFs are. */
const nic = (field: string, name: string): Claim => ({
  field,
  value: name,
  takes: [`nic ${name}`],
  needsFree: [`vrf ${name}`, `bridge ${name}`],
})

/** Several objects may name one VRF. */
const vrf = (name: string): Claim => ({
  field: 'spec.vrf',
  value: name,
  takes: [`vrf ${name}`],
  needsFree: [`nic ${name}`],
})
