/** For tests: a real server on loopback with real TLS, a book of plans that the test writes, and who said what. */
import type { ExecutionContext } from 'ava'
import { Registry } from 'prom-client'
import { SimulatedAgent, type SimulatedAgentOptions } from '../../e2e/peers/simulated-agent.ts'
import type { Piece, PlanChange, PlanVersion } from '../../api/plan/plan-version.ts'
import type { Violation } from '../../api/rules/violation.ts'
import { createLog } from '../../log/log.ts'
import { createAuthority, issueServing, type Authority } from '../tls/authority.ts'
import type { Certificates } from '../tls/certificates.ts'
import { Distribution, type DistributionOptions } from './distribution.ts'
import type { Identity } from './ports.ts'

export const LIFE_MS = 3_600_000

export class FakeVersion implements PlanVersion {
  readonly node: string
  readonly revision: string
  readonly refused: readonly Violation[]
  readonly #pieces: ReadonlyMap<string, Piece>

  constructor(node: string, revision: string, pieces: readonly Piece[], refused: readonly Violation[] = []) {
    this.node = node
    this.revision = revision
    this.refused = refused
    this.#pieces = new Map(pieces.map((piece) => [piece.key, piece]))
  }

  changesSince(before?: PlanVersion): PlanChange {
    const old = before instanceof FakeVersion ? before.#pieces : new Map<string, Piece>()
    return {
      set: [...this.#pieces.values()].filter((piece) => old.get(piece.key) !== piece),
      remove: [...old.keys()].filter((key) => !this.#pieces.has(key)),
    }
  }
}

export const piece = (key: string, text: string): Piece => ({ key, json: Buffer.from(JSON.stringify(text)) })

/** An agent's token is `node/NAME` here; the signature is the test's word. */
async function byName(token: string | undefined): Promise<Identity> {
  const node = token?.startsWith('node/') ? token.slice(5) : undefined
  if (node === undefined) return { type: 'refused', reason: 'NoToken', message: 'no token' }
  return { type: 'node', node }
}

export interface Stage extends AsyncDisposable {
  readonly distribution: Distribution
  readonly authority: Authority
  readonly registry: Registry
  /** What is current, by node. */
  readonly plans: Map<string, PlanVersion>
  /** `connected n1`, `acknowledged n1 r1`, ... in order. */
  readonly events: string[]
  readonly log: string[]
  readonly certificates: ChangingCertificates
  /** Puts a version into the book and says so. */
  publish(version: PlanVersion): void
  dial(node: string, options?: Partial<SimulatedAgentOptions>): SimulatedAgent
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
}

export class ChangingCertificates implements Certificates {
  trusted: string
  serving: Certificates['serving']
  readonly #changed: (() => void)[] = []

  constructor(authority: Authority, serving: Certificates['serving']) {
    this.trusted = authority.cert
    this.serving = serving
  }

  onChange(changed: () => void): void {
    this.#changed.push(changed)
  }

  replace(trusted: string, serving: Certificates['serving']): void {
    this.trusted = trusted
    this.serving = serving
    for (const each of this.#changed) each()
  }
}

export const serving = (authority: Authority) =>
  issueServing(authority, { dns: ['nodeleaf-controller'], addresses: ['127.0.0.1'] }, Date.now(), LIFE_MS)

export async function stage(t: ExecutionContext, options: Partial<DistributionOptions> = {}): Promise<Stage> {
  const authority = await createAuthority(Date.now(), LIFE_MS)
  const certificates = new ChangingCertificates(authority, await serving(authority))
  const plans = new Map<string, PlanVersion>()
  const events: string[] = []
  const log: string[] = []
  const registry = new Registry()
  const distribution = await Distribution.start({
    listen: { host: '127.0.0.1', port: 0 },
    certificates,
    authenticator: { identify: ({ token }) => byName(token) },
    book: { current: (node) => plans.get(node) },
    observer: {
      connected: (node) => void events.push(`connected ${node}`),
      disconnected: (node) => void events.push(`disconnected ${node}`),
      acknowledged: (node, revision, error) =>
        void events.push(`acknowledged ${node} ${revision}${error === undefined ? '' : ` (${error})`}`),
      reported: (node, report) => void events.push(`reported ${node} ${report.applied}`),
      detailed: (node, detail) => void events.push(`detailed ${node} ${detail.version}`),
    },
    leadership: () => ({ leads: true }),
    name: 'controller-a',
    registry,
    log: createLog({ level: 'info', format: 'kv', write: (line) => void log.push(line), now: () => new Date() }),
    ...options,
  })
  const agents: SimulatedAgent[] = []
  const end = async (): Promise<void> => {
    for (const agent of agents) agent[Symbol.dispose]()
    await distribution.stop()
  }
  t.teardown(end)
  return {
    distribution,
    authority,
    registry,
    plans,
    events,
    log,
    certificates,
    publish(version) {
      plans.set(version.node, version)
      distribution.changed([version.node])
    },
    dial(node, more = {}) {
      const controller = `127.0.0.1:${distribution.port}`
      const known = { controller, ca: authority.cert, serverName: 'nodeleaf-controller', token: `node/${node}` }
      const agent = new SimulatedAgent({ ...known, node, ...more })
      agents.push(agent)
      return agent
    },
    async metric(name, labels = {}) {
      const values = (await registry.getSingleMetric(name)?.get())?.values ?? []
      const fits = values.filter((each) =>
        Object.entries(labels).every(([key, value]) => (each.labels as Record<string, unknown>)[key] === value),
      )
      return fits.reduce((sum, each) => sum + each.value, 0)
    },
    [Symbol.asyncDispose]: end,
  }
}

/** Waits for the condition, with a bound that is generous on a busy machine. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  boundMs = 60_000,
): Promise<void> {
  const end = performance.now() + boundMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`this did not come true: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
