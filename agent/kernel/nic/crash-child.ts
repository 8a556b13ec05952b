/** For nic.lab.ts: one pass for a plan, in a process that NODELEAF_CRASH_AT kills. `crash-child.ts STATEDIR PLAN`. */
import { Kernel } from '../kernel.ts'
import { NETNS } from '../golden/machine.ts'
import type { NodePlan } from '../../../api/plan/node-plan.ts'

const [stateDir = '', plan = ''] = process.argv.slice(2)
using kernel = Kernel.open({ netns: NETNS, stateDir })
const { create, raise, remove } = await kernel.differences(JSON.parse(plan) as NodePlan)
const failures = await kernel.apply([...create, ...raise, ...remove])
process.exitCode = failures.length === 0 ? 0 : 1
