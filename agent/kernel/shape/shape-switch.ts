/** A change of the datapath's shape under way: from which, and how many VNIs are still to be carried by the new one. */
import type { DatapathShape, KernelObject } from '../objects.ts'
import type { Operation } from '../operation.ts'

export interface SwitchState {
  readonly from: DatapathShape
  readonly to: DatapathShape
  /** VNIs. */
  readonly left: number
}

/** The shape that VNIs of the node are in; of both (a change was cut short) the one that is not `wanted`. */
export function runningShape(objects: Iterable<KernelObject>, wanted?: DatapathShape): DatapathShape | undefined {
  const shapes = new Set<DatapathShape>()
  for (const object of objects) {
    if (object.type === 'link' && object.kind === 'vxlan') shapes.add(object.vni === undefined ? 'single' : 'per-vni')
  }
  if (wanted !== undefined && shapes.size > 1) shapes.delete(wanted)
  const [shape] = shapes
  return shape
}

export class ShapeSwitch {
  readonly #from: DatapathShape
  readonly #to: DatapathShape
  #left: number

  constructor(from: DatapathShape, to: DatapathShape, operations: readonly Operation[]) {
    this.#from = from
    this.#to = to
    this.#left = operations.filter((operation) => carries(operation)).length
  }

  /** An operation was done. */
  done(operation: Operation): void {
    if (carries(operation)) this.#left--
  }

  get state(): SwitchState {
    return { from: this.#from, to: this.#to, left: this.#left }
  }
}

/** What puts one VNI into service. */
function carries({ do: what, object }: Operation): boolean {
  if (object.type === 'vlan') return what === 'create'
  return object.type === 'link' && object.kind === 'vxlan' && object.vni !== undefined && what === 'raise'
}
