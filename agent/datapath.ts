/** Which shape the datapath has, and why: what was asked for, what kernel and FRR can, and what runs already. Pure. */
import type { DatapathShape } from './kernel/objects.ts'

export const DATAPATH_MODES = ['auto', 'single', 'per-vni'] as const
export type DatapathMode = (typeof DATAPATH_MODES)[number]

export interface DatapathFacts {
  readonly mode: DatapathMode
  /** Why this kernel cannot have the single shape. */
  readonly kernel?: string | undefined
  /** Absent while FRR was never reached. */
  readonly frr?: { readonly version: string; readonly single: boolean } | undefined
  /** What the node has VNIs in. */
  readonly running?: DatapathShape | undefined
}

export interface DatapathChoice {
  readonly shape: DatapathShape
  readonly reason: string
  /** What was asked for cannot be had. */
  readonly impossible?: true
}

/**
 * `auto` never changes a node that has VNIs, as all of them are away for a moment when it does (two kinds of VXLAN
 * devices cannot be up together), unless FRR does not know the shape; so it does not matter whether FRR is there when
 * the agent starts.
 */
export function chooseDatapath({ mode, kernel, frr, running }: DatapathFacts): DatapathChoice {
  const obstacle =
    kernel ?? (frr?.single === false ? `FRR ${frr.version} does not know single VXLAN devices, 9.0 does` : undefined)
  if (mode === 'per-vni') return { shape: 'per-vni', reason: 'asked for with --datapath' }
  if (mode === 'single') {
    if (obstacle === undefined) return { shape: 'single', reason: 'asked for with --datapath' }
    const reason = `--datapath single cannot be had: ${obstacle}; choose auto or per-vni`
    return { shape: 'single', reason, impossible: true }
  }
  if (obstacle !== undefined) return { shape: 'per-vni', reason: obstacle }
  if (running === 'per-vni') {
    return { shape: running, reason: 'the node runs it; --datapath single changes it, with a moment without traffic' }
  }
  if (frr !== undefined) return { shape: 'single', reason: `the kernel and FRR ${frr.version} can` }
  const reason = running === 'single' ? 'the node runs it' : 'the kernel can, FRR was not reached yet'
  return { shape: 'single', reason }
}
