/** Faults by HTTP, for programs that do not run in the server's process: one POST with what shall happen. */
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bound } from '../access/tokens.ts'
import type { AuditEntry } from '../http/audit.ts'
import { readText } from '../http/body.ts'
import type { ApiServer } from '../server.ts'
import type { Fault, Match } from './faults.ts'
import type { Loss } from './watches.ts'

/** What a POST asks for, by `do`. */
export type Order =
  | {
      readonly do: 'fault'
      readonly fault: Fault
      readonly match?: Match
      readonly times?: number
      readonly forMs?: number
    }
  | { readonly do: 'clear' }
  | { readonly do: 'lose-watches'; readonly how: Loss; readonly match?: Match }
  | { readonly do: 'compact' }
  | { readonly do: 'reset' | 'up' | 'thaw' }
  | { readonly do: 'down' | 'freeze'; readonly forMs?: number }
  | {
      readonly do: 'audit'
      readonly filter?: Parameters<ApiServer['audit']['entries']>[0]
      readonly clear?: boolean
      /** How many, by `verb resource/subresource`, instead of each one. */
      readonly count?: boolean
    }
  | {
      readonly do: 'service'
      readonly name: string
      readonly endpoints: readonly { readonly host: string; readonly port: number }[]
    }
  | {
      readonly do: 'token'
      readonly namespace: string
      readonly name: string
      readonly audiences: readonly string[]
      readonly expirationSeconds: number
      readonly bound?: Bound
    }

/** Listens on a Unix socket's path or ADDRESS:PORT. */
export async function serveControl(server: ApiServer, listen: string): Promise<Server> {
  const control = createServer((request, response) => {
    void (async () => {
      try {
        const result = await carryOut(server, JSON.parse(await readText(request)) as Order)
        response.end(`${JSON.stringify(result ?? {})}\n`)
      } catch (error) {
        response.writeHead(400).end(`${error instanceof Error ? error.message : String(error)}\n`)
      }
    })()
  })
  const [, address, port] = /^\[?([^/]*?)\]?:(\d+)$/.exec(listen) ?? []
  if (port === undefined) rmSync(listen, { force: true })
  if (port === undefined) control.listen(listen)
  else control.listen(Number(port), address)
  await once(control, 'listening')
  return control
}

async function carryOut(server: ApiServer, order: Order): Promise<unknown> {
  const { faults, front, watches, audit, store, services, tokens } = server
  const later = (ms: number | undefined, undo: () => unknown): void => {
    if (ms !== undefined) void sleep(ms, undefined, { ref: false }).then(undo)
  }
  switch (order.do) {
    case 'fault': {
      const { fault, match = {}, times, forMs } = order
      later(forMs, faults.add(fault, { match, ...(times === undefined ? {} : { times }) }))
      return undefined
    }
    case 'clear':
      return faults.clear()
    case 'lose-watches':
      return { lost: watches.lose(order.how, order.match) }
    case 'compact':
      return store.compact()
    case 'reset':
      return front.reset()
    case 'up':
      return front.up()
    case 'thaw':
      return front.thaw()
    case 'down':
      await front.down()
      return later(order.forMs, () => front.up())
    case 'freeze':
      front.freeze()
      return later(order.forMs, () => front.thaw())
    case 'audit': {
      const entries = audit.entries(order.filter)
      if (order.clear === true) audit.clear()
      return order.count === true ? countsOf(entries) : entries
    }
    case 'service':
      return void services.set(order.name, order.endpoints)
    case 'token':
      return tokens.issue(order)
    default:
      throw new Error(`no such order: ${JSON.stringify(order)}`)
  }
}

function countsOf(entries: readonly AuditEntry[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { verb, resource, subresource } of entries) {
    const what = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}`
    counts[what] = (counts[what] ?? 0) + 1
  }
  return counts
}
