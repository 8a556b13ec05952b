import { agentSuite } from './agent-suite.ts'

await agentSuite('per-vni')
