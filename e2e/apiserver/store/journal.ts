/** The store on disk: one JSON line a change, appended before the change is answered, replayed at the start. */
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import type { Change, Store } from './store.ts'

/** What must stay the same over a restart for clients to come back: keys and certificates. */
export type Identity = Readonly<Record<string, string>>

interface Head {
  readonly identity: Identity
  readonly revision: number
}

/**
 * Restores the store from the file, or begins a new one with the identity that `make` gives; from then on the store's
 * changes are appended. Crash-safe as far as whole lines go; it does not sync the disk.
 */
export async function openJournal(
  path: string,
  store: Store,
  make: () => Promise<Identity>,
): Promise<{ readonly identity: Identity; close(): void }> {
  const [first, ...lines] = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  const head = first === undefined ? undefined : (JSON.parse(first) as Head)
  for (const line of lines) {
    const change = parsed(line)
    if (change) store.replay(change)
  }
  store.advance(head?.revision ?? 0)
  store.compact()
  const identity = head?.identity ?? (await make())
  rewrite(path, identity, store)
  const file = openSync(path, 'a', 0o600)
  const stop = store.onChange(({ revision, type, resource, object }) =>
    writeSync(file, `${JSON.stringify({ revision, type, resource, object })}\n`),
  )
  return {
    identity,
    close() {
      stop()
      closeSync(file)
    },
  }
}

/** The last line may be cut off by a kill. */
function parsed(line: string): Omit<Change, 'before'> | undefined {
  try {
    return JSON.parse(line) as Omit<Change, 'before'>
  } catch {
    return undefined
  }
}

function rewrite(path: string, identity: Identity, store: Store): void {
  const head: Head = { identity, revision: store.revision }
  const objects = store.resources().flatMap((resource) =>
    store.list(resource).map((object) => {
      const revision = Number(object.metadata.resourceVersion)
      return { revision, type: 'ADDED', resource, object }
    }),
  )
  const lines = [head, ...objects.sort((a, b) => a.revision - b.revision)]
  writeFileSync(`${path}.new`, lines.map((each) => `${JSON.stringify(each)}\n`).join(''), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
