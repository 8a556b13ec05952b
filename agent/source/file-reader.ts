/**
 * What it takes to understand files: YAML, the schemas of the kinds, and the planner. It is half of the agent's code, and
 * an agent that has everything from the controller needs none of it: loaded when there is a file.
 */
export { parseNodeFile } from '../../api/manifest/node-file.ts'
export { joined, readManifest } from '../../api/manifest/read.ts'
export { combine } from './combine.ts'
