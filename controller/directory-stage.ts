/** For tests: a controller without Kubernetes, and agents of it. */
import type { ExecutionContext } from 'ava'
import { create } from '@bufbuild/protobuf'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { ReportSchema, ResourceStateSchema } from '../api/wire/generated/distribution_pb.ts'
import { SimulatedAgent } from '../e2e/peers/simulated-agent.ts'
import type { Condition } from './fabric/world.ts'
import { optionsOf, startInProcess, type InProcess } from './in-process.ts'
import type { ControllerOptions } from './options.ts'
import { issueAgentCertificate } from './tls/agent-certificate.ts'

/** A state file, as far as it is looked at. */
interface NodeFile {
  readonly spec?: unknown
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly revision?: { readonly applied?: string }
    readonly vnis?: readonly { readonly vni: number }[]
  }
}

export interface Stage {
  readonly config: string
  readonly state: string
  readonly log: string[]
  options(flags?: readonly string[]): ControllerOptions
  start(flags?: readonly string[]): Promise<void>
  stop(): Promise<void>
  write(file: string, text: string): void
  agent(node: string, revision?: string): Promise<Agent>
  conditions(kind: string, name: string): readonly Condition[]
  condition(kind: string, name: string, type: string): Condition | undefined
  nodeFile(name: string): NodeFile | undefined
}

export class Agent implements Disposable {
  readonly simulated: SimulatedAgent
  detailRequests = 0
  constructor(make: (detail: () => void) => SimulatedAgent) {
    this.simulated = make(() => void this.detailRequests++)
  }
  /** Says how it fares with what it has. */
  report(
    unready: readonly { kind: string; name: string; state: string; reason: string; message: string }[] = [],
    more = {},
  ): void {
    const { revision } = this.simulated
    this.simulated.send({
      case: 'report',
      value: create(ReportSchema, {
        applied: unready.length === 0 ? revision : '',
        lastGood: revision,
        settled: true,
        unready: unready.map((each) => create(ResourceStateSchema, each)),
        ...more,
      }),
    })
  }
  [Symbol.dispose](): void {
    this.simulated[Symbol.dispose]()
  }
}

/** A controller on two directories that the test alone uses, and agents of it; all end with the test. */
export function stage(t: ExecutionContext): Stage {
  const directory = mkdtempSync(join(tmpdir(), 'nodeleaf-controller-'))
  const [config, state] = [join(directory, 'config'), join(directory, 'state')]
  mkdirSync(config)
  const log: string[] = []
  const agents: Agent[] = []
  let running: InProcess | undefined
  t.teardown(async () => {
    for (const agent of agents) agent[Symbol.dispose]()
    await running?.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const read = <T>(path: string): T | undefined =>
    existsSync(path) ? (parse(readFileSync(path, 'utf8')) as T) : undefined
  const conditions = (kind: string, name: string): readonly Condition[] =>
    read<NodeFile>(join(state, 'resources', `${kind}-${name}.yaml`))?.status?.conditions ?? []
  const directories = ['--config-dir', config, '--state-dir', state]
  const options = (flags: readonly string[] = []): ControllerOptions =>
    optionsOf([...directories, '--listen', '127.0.0.1:0', '--metrics', 'off', ...flags])
  return {
    config,
    state,
    log,
    options,
    async start(flags = []) {
      running = await startInProcess(options(flags), log)
    },
    async stop() {
      await running?.stop()
    },
    write: (file, text) => writeFileSync(join(config, file), text),
    async agent(node, revision = '') {
      const out = join(directory, node)
      const issued = await issueAgentCertificate({ node, stateDirectory: state, outDirectory: out, nowMs: Date.now() })
      const [cert, key, ca] = [issued.cert, issued.key, issued.ca].map((path) => readFileSync(path, 'utf8'))
      const agent = new Agent(
        (asked) =>
          new SimulatedAgent({
            controller: `127.0.0.1:${running?.port}`,
            ca: ca ?? '',
            certificate: { cert: cert ?? '', key: key ?? '' },
            node,
            revision,
            onMessage: ({ message }) => message.case === 'detailRequest' && asked(),
          }),
      )
      agents.push(agent)
      return agent
    },
    conditions,
    condition: (kind, name, type) => conditions(kind, name).find((each) => each.type === type),
    nodeFile: (name) => read(join(state, 'nodes', `${name}.yaml`)),
  }
}
