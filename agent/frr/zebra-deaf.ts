/**
 * A zebra that no longer listens to mgmtd. When a session with mgmtd ends while a commit of another one is on its way to
 * zebra, FRR 10.3 gives zebra values out of freed memory (mgmtd/mgmt_fe_adapter.c, mgmt_fe_cleanup_session copies the
 * running datastore over the candidate that the batches of mgmtd/mgmt_txn.c, mgmt_txn_create_config_batches point into).
 * zebra refuses them by closing its connection (lib/mgmt_be_client.c, mgmt_be_process_cfgdata_req), and never reads from
 * the next one: an event of the closed socket stays behind (lib/mgmt_msg.c, msg_conn_disconnect; mended in 10.6), for
 * which lib/event.c, _event_add_read_write takes the new one as scheduled. mgmtd waits ten minutes for zebra's answer to
 * its first configuration, or to the next commit, and keeps the running datastore locked meanwhile. If mgmtd is started
 * again, zebra does not see even that. Only a start of zebra helps. It may be mute in the same way: when mgmtd dies while
 * zebra is about to write to it, that event stays behind, and zebra never tells the next mgmtd who it is.
 */

/**
 * More than a zebra that listens needs for one step, however long it has been busy: an answer over its vty means that it
 * has polled its sockets, and all that are ready then have their turn before it polls again (lib/event.c, event_fetch).
 * So what mgmtd has sent is read by the next answer but one, worked on in the turn after that and answered in the next.
 * There are many such steps in a first configuration, which may be large: each moves the bytes that mgmtd counts.
 */
const LOOKS = 10

const NO_CONNECTION = 'connection'

/** What FRR says of itself. */
export interface Told {
  /** zebra's `show event poll`: the sockets that it polls, and what reads from each. */
  readonly polled: string
  /** mgmtd's `show mgmt transaction all` and `show mgmt backend-adapter all`; empty while it does not answer. */
  readonly transactions: string
  readonly backends: string
}

/**
 * What mgmtd waits for and how far it is: the transaction without a session that brings zebra its first configuration, or
 * that zebra connects. Undefined: for nothing, or it does not say.
 */
export function waitsFor({ transactions, backends }: Omit<Told, 'polled'>): string | undefined {
  const first = /Txn-Id:\s*(\d+)\s+Session-Id:\s*0\s+Type:\s*CONFIG\b/.exec(transactions)?.[1]
  if (first !== undefined) return `transaction ${first}, ${movedIn(backends)}`
  if (!backends.startsWith('MGMTD Backend Adapters')) return undefined
  return /^\s*Client:\s*zebra\s*$/m.test(backends) ? undefined : NO_CONNECTION
}

/** A sign that zebra may be deaf; the same one at every look when it is. Undefined: it listens. */
export function signOf(told: Told): string | undefined {
  const waits = waitsFor(told)
  if (waits === NO_CONNECTION) return waits
  const listens = listensIn(told.polled)
  if (listens === true) return undefined
  return waits ?? (listens === false ? `reader, ${movedIn(told.backends)}` : undefined)
}

/**
 * Whether zebra polls its connection to mgmtd. One that listens may not do so just while it is about to read. Undefined:
 * it does not say, or in other words than up to 10.6.
 */
function listensIn(polled: string): boolean | undefined {
  if (/\bmsg_conn_read\b/.test(polled)) return true
  return /\bvtysh_accept\b/.test(polled) ? false : undefined
}

/** Another text whenever zebra has sent something, or has read so that mgmtd could send more. */
function movedIn(backends: string): string {
  const counts = /^\s*Client:\s*zebra\s*$[^]*?Bytes-Recvd:\s*(\d+)[^]*?Bytes-Sent:\s*(\d+)/m.exec(backends)
  return `${counts?.[1] ?? '?'} bytes received, ${counts?.[2] ?? '?'} sent`
}

/** Whether there is the same sign at many looks in a row. `look` resolves when zebra has answered something as well. */
export async function isDeaf(look: () => Promise<string | undefined>, rest: () => Promise<unknown>): Promise<boolean> {
  let before: string | undefined
  for (let looks = 1; looks < LOOKS; looks++) {
    const sign = await look()
    if (sign === undefined) return false
    if (sign !== before) looks = 0
    before = sign
    await rest()
  }
  return true
}

/** mgmtd's words for a line that it refuses because somebody, or a transaction, holds a datastore (lib/vty.c). */
export function isLocked(text: string): boolean {
  return /could not lock (running|candidate) DS|datastore locked by another session/.test(text)
}
