/**
 * A zebra that no longer listens to mgmtd. When a session with mgmtd ends while a commit of another one is on its way to
 * zebra, FRR 10.3 gives zebra values out of freed memory (mgmtd/mgmt_fe_adapter.c, mgmt_fe_cleanup_session copies the
 * running datastore over the candidate that the batches of mgmtd/mgmt_txn.c, mgmt_txn_create_config_batches point into).
 * zebra refuses them by closing its connection (lib/mgmt_be_client.c, mgmt_be_process_cfgdata_req), and never reads from
 * the next one: an event of the closed socket stays behind (lib/mgmt_msg.c, msg_conn_disconnect; mended in 10.6). mgmtd
 * waits ten minutes for zebra's answer to its first configuration and keeps the running datastore locked meanwhile. If
 * mgmtd is started again, zebra does not see even that. Only a start of zebra helps.
 */

/** So often zebra has answered something else: it has turned to its sockets each time. */
const LOOKS = 10

/**
 * What mgmtd waits for, from its `show mgmt transaction all` and `show mgmt backend-adapter all`: the transaction without
 * a session that brings zebra its first configuration, or that zebra connects. Undefined: for nothing, or it does not say.
 */
export function waitsFor(transactions: string, backends: string): string | undefined {
  const first = /Txn-Id:\s*(\d+)\s+Session-Id:\s*0\s+Type:\s*CONFIG\b/.exec(transactions)?.[1]
  if (first !== undefined) return `transaction ${first}`
  if (!backends.startsWith('MGMTD Backend Adapters')) return undefined
  return /^\s*Client:\s*zebra\s*$/m.test(backends) ? undefined : 'connection'
}

/** Whether mgmtd waits for the same thing for many looks. `look` resolves when zebra has answered something as well. */
export async function isDeaf(look: () => Promise<string | undefined>, rest: () => Promise<unknown>): Promise<boolean> {
  let before: string | undefined
  for (let looks = 1; looks < LOOKS; looks++) {
    const waits = await look()
    if (waits === undefined) return false
    if (waits !== before) looks = 0
    before = waits
    await rest()
  }
  return true
}

/** mgmtd's words for a line that it refuses because somebody, or a transaction, holds a datastore (lib/vty.c). */
export function isLocked(text: string): boolean {
  return /could not lock (running|candidate) DS|datastore locked by another session/.test(text)
}
