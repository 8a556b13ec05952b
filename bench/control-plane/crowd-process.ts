/** A process full of agents; orders come from the simulation that forked it. */
import { credentials } from '@grpc/grpc-js'
import { CrowdAgent } from './crowd-agent.ts'
import type { CrowdCounts, CrowdOrder } from './crowd-messages.ts'
import { encodedVnis } from './messages.ts'

const MOST_MISTAKES = 5
/**
 * TLS handshakes under way. Each agent has a machine of its own in truth; here they share a processor, and if all dialled at
 * once, none would be done within its ten seconds.
 */
const DIALLING = 16

let agents: readonly CrowdAgent[] = []
let counters = { dials: 0, reports: 0, details: 0 }
let mistakes: string[] = []
let ends: Record<string, number> = {}
let chatter: NodeJS.Timeout[] = []

function carryOut(order: CrowdOrder): CrowdCounts | undefined {
  switch (order.do) {
    case 'dial':
      return void dial(order)
    case 'count':
      for (const agent of agents) agent.count(order.marker)
      counters = { dials: 0, reports: 0, details: 0 }
      mistakes = []
      ends = {}
      return undefined
    case 'chatter':
      for (const timer of chatter) clearInterval(timer)
      chatter = []
      if (order.everyMs > 0)
        for (const agent of agents)
          setTimeout(
            () => chatter.push(setInterval(() => agent.chatter(), order.everyMs)),
            Math.random() * order.everyMs,
          )
      return undefined
    case 'look':
      return counts(order.times)
  }
}

let dialling = 0
const waiting: (() => void)[] = []

async function turn(): Promise<() => void> {
  if (dialling >= DIALLING) await new Promise<void>((resolve) => waiting.push(resolve))
  dialling++
  let over = false
  return () => {
    if (over) return
    over = true
    dialling--
    waiting.shift()?.()
  }
}

function dial(order: CrowdOrder & { readonly do: 'dial' }): void {
  const crowd = {
    controller: order.controller,
    credentials: credentials.createSsl(Buffer.from(order.ca)),
    serverName: order.serverName,
    vnis: encodedVnis(order.vnis),
    turn,
    noted: (what: keyof typeof counters) => void counters[what]++,
    mistake: (text: string) => void (mistakes.length < MOST_MISTAKES && mistakes.push(text)),
    ended: (why: string) => void (ends[why] = (ends[why] ?? 0) + 1),
  }
  agents = order.agents.map((each, at) => new CrowdAgent(each, crowd, at % order.checkEvery === 0))
  for (const agent of agents) agent.dialIn(Math.random() * order.spreadMs)
}

function counts(times: boolean): CrowdCounts {
  const marked = agents.filter(({ markedAt }) => markedAt > 0)
  const sum = (of: (agent: CrowdAgent) => number): number => agents.reduce((total, each) => total + of(each), 0)
  return {
    connected: sum(({ connected }) => Number(connected)),
    touched: sum(({ plans }) => Number(plans > 0)),
    mostPlans: Math.max(0, ...agents.map(({ plans }) => plans)),
    plans: sum(({ plans }) => plans),
    pieces: sum(({ pieces }) => pieces),
    removed: sum(({ removed }) => removed),
    bytes: sum(({ bytes }) => bytes),
    marked: marked.length,
    times: times ? marked.map(({ markedAt }) => markedAt) : [],
    ...counters,
    mistakes,
    ends,
  }
}

process.on('message', (order: CrowdOrder) => {
  process.send?.(carryOut(order) ?? {})
})
process.on('disconnect', () => process.exit())
