import { endAndReturn } from '../lab/agent-return.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'agent-kill',
  summary: 'an agent that is killed and comes back loses no packet and writes nothing',
  run: (lab, t) => endAndReturn(lab, t, (node) => node.agent.kill()),
}
