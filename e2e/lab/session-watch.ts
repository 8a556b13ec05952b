/** Whether BGP sessions went on without a break. */
import assert from 'node:assert/strict'
import type { BgpSession, Frr } from './frr.ts'

export interface SessionWatch {
  /** Throws when one of the sessions ended meanwhile, even if it is back. */
  check(): Promise<void>
}

/** Remembers the sessions of an instance that are Established now (with these peers, or with all). */
export async function watchSessions(frr: Frr, vrf = 'default', peers?: readonly string[]): Promise<SessionWatch> {
  const before = await established(frr, vrf)
  const names = peers ?? [...before.keys()]
  assert.ok(names.length > 0, `${frr.name} has sessions in ${vrf}`)
  for (const peer of names) assert.ok(before.has(peer), `${frr.name} has a session with ${peer} in ${vrf}`)
  return {
    async check() {
      const after = await established(frr, vrf)
      for (const peer of names) {
        const [was, is] = [before.get(peer), after.get(peer)]
        assert.ok(is !== undefined, `${frr.name}, ${vrf}: the session with ${peer} is gone`)
        assert.equal(is.dropped, was?.dropped, `${frr.name}, ${vrf}: the session with ${peer} was dropped`)
        assert.ok(is.uptimeMs >= (was?.uptimeMs ?? 0), `${frr.name}, ${vrf}: the session with ${peer} is a new one`)
      }
    },
  }
}

async function established(frr: Frr, vrf: string): Promise<ReadonlyMap<string, BgpSession>> {
  return new Map([...(await frr.sessions(vrf))].filter(([, { state }]) => state === 'Established'))
}
