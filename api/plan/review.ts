/** What is wrong across a set of objects before any node runs them: `nodeleaf validate`, and admission later. */
import { judgeAnywhere, judgeFabric } from '../rules/judge.ts'
import { nameOf, refOf, type Violation } from '../rules/violation.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { factsOf } from './node-facts.ts'
import { plan } from './plan.ts'
import { passwordOf } from './session.ts'

/**
 * Where nodes are known (RouterNodes), what any of their plans refuses; where none is, what would be refused on some node.
 * Violations that say the same of several nodes come once.
 */
export function review(snapshot: Snapshot): readonly Violation[] {
  const nodes = snapshot.resources.filter((each) => each.kind === 'RouterNode')
  const all = nodes.length > 0 ? nodes.flatMap((each) => plan(snapshot, factsOf(each)).refused) : anywhere(snapshot)
  const distinct = new Map<string, Violation>()
  for (const each of all) {
    const key = [nameOf(each.object), each.reason, each.field, each.other && nameOf(each.other)].join(' ')
    if (!distinct.has(key)) distinct.set(key, each)
  }
  return [...distinct.values()]
}

function anywhere(snapshot: Snapshot): readonly Violation[] {
  const fabric = judgeFabric(snapshot)
  const nodes = judgeAnywhere(fabric.accepted)
  return [...fabric.refused, ...nodes.refused, ...missingSecrets(snapshot)]
}

function missingSecrets(snapshot: Snapshot): readonly Violation[] {
  return snapshot.resources.flatMap((resource) => {
    const sessions =
      resource.kind === 'Underlay'
        ? resource.spec.neighbors.map((session, i) => ({ session, field: `spec.neighbors[${i}].passwordSecret` }))
        : (resource.kind === 'L3VNI' || resource.kind === 'L3Passthrough') && resource.spec.hostSession
          ? [{ session: resource.spec.hostSession, field: 'spec.hostSession.passwordSecret' }]
          : []
    return sessions.flatMap(({ session, field }): readonly Violation[] => {
      const password = passwordOf(session, snapshot.secrets)
      if ('password' in password) return []
      const { reason, message, remedy } = password
      const missing = reason === 'SecretMissing' ? { pending: true as const } : {}
      return [{ object: refOf(resource), reason, field, message, remedy, ...missing }]
    })
  })
}
