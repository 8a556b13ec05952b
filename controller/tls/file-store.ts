/** Without Kubernetes: the authorities in `ca.json` of the state directory, for its owner's eyes only. */
import { linkSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { commit, stage } from '../../files/durable.ts'
import { version } from '../../files/directory.ts'
import type { Authority } from './authority.ts'
import { checkedAuthority, storeInvalid, type AuthorityStore, type StoredAuthorities } from './authority-store.ts'

const content = z.strictObject({
  authorities: z.array(z.strictObject({ cert: z.string(), key: z.string() })),
})

export class FileStore implements AuthorityStore {
  readonly #path: string

  constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, 'ca.json')
  }

  async read(): Promise<StoredAuthorities | undefined> {
    const before = version(this.#path)
    try {
      const { authorities } = content.parse(JSON.parse(readFileSync(this.#path, 'utf8')))
      return { authorities: authorities.map((each) => checkedAuthority(each.cert, each.key)), version: before }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      // A JSON error quotes its input, and zod's may; neither may reach a log.
      throw storeInvalid(this.#path, error instanceof Error && 'code' in error ? error : new Error(reason(error)))
    }
  }

  /** The controller and `issue-agent-certificate` may both find nothing: a link to the finished file has one winner. */
  async write(authorities: readonly Authority[], before: string | undefined): Promise<boolean> {
    if (before !== undefined && before !== version(this.#path)) return false
    const name = before === undefined ? `${this.#path}.${process.pid}` : this.#path
    stage(name, `${JSON.stringify({ authorities }, undefined, 2)}\n`)
    if (before !== undefined) {
      commit(name)
      return true
    }
    try {
      linkSync(`${name}.new`, this.#path)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    } finally {
      rmSync(`${name}.new`, { force: true })
    }
  }
}

function reason(error: unknown): string {
  if (error instanceof SyntaxError) return 'it is not JSON'
  if (error instanceof z.ZodError) return 'it does not hold "authorities" with "cert" and "key"'
  return error instanceof Error ? error.message : 'it cannot be read'
}
