/** The world as admission looks at it: with the RouterNodes among the objects. The same one as long as nothing of it changed. */
import type { RouterNode } from '../../api/kinds/router-node.ts'
import type { Snapshot } from '../../api/snapshot/snapshot.ts'
import type { AdmissionWorld } from '../admission/admission-world.ts'
import type { World } from './world.ts'

export class AdmissionView {
  #of: Snapshot | undefined
  #routerNodes: readonly RouterNode[] = []
  #snapshot: Snapshot | undefined

  look(world: World): AdmissionWorld {
    const routerNodes = world.routerNodes.map(({ resource }) => resource)
    const same = this.#of === world.snapshot && sameObjects(this.#routerNodes, routerNodes)
    if (!same || this.#snapshot === undefined) {
      const { resources, secrets } = world.snapshot
      this.#of = world.snapshot
      this.#routerNodes = routerNodes
      // Without a time of creation, so the oldest.
      this.#snapshot = { resources: [...routerNodes, ...resources], secrets }
    }
    return { snapshot: this.#snapshot, nodes: world.nodes }
  }
}

function sameObjects(a: readonly RouterNode[], b: readonly RouterNode[]): boolean {
  return a.length === b.length && a.every((each, at) => each === b[at])
}
