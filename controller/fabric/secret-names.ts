/** Which Secrets the objects name: those are watched, and no others. Pure. */
import type { AnyResource } from '../../api/kinds/kinds.ts'

export function secretNames(resources: Iterable<AnyResource>): ReadonlySet<string> {
  const names = new Set<string>()
  for (const resource of resources) {
    if (resource.kind === 'Underlay')
      for (const { passwordSecret } of resource.spec.neighbors) if (passwordSecret) names.add(passwordSecret.name)
    if (resource.kind === 'L3VNI' || resource.kind === 'L3Passthrough') {
      const name = resource.spec.hostSession?.passwordSecret?.name
      if (name !== undefined) names.add(name)
    }
  }
  return names
}
