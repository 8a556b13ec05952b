/** The licences of the packages in a bundle: their terms ask that the text goes along. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Package {
  readonly name: string
  readonly version: string
  readonly licence: string
  /** Text of its LICENSE and NOTICE files; empty when it ships none. */
  readonly text: string
}

/** The packages that the files (relative to `root`) belong to, by name. */
export function packagesOf(root: string, files: readonly string[]): readonly Package[] {
  const folders = new Set(files.flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []))
  return [...folders].sort().map((folder) => packageIn(join(root, folder)))
}

/** One readable file. */
export function licencesText(packages: readonly Package[]): string {
  const parts = packages.map(({ name, version, licence, text }) => {
    const body = text === '' ? `The package ships no licence file; its package.json says: ${licence}.` : text
    return `${name} ${version} (${licence})\n${'='.repeat(72)}\n${body}\n`
  })
  return `nodeleaf contains these packages.\n\n${parts.join('\n')}`
}

function packageIn(folder: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string
    readonly version: string
    readonly license?: string
  }
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n')
  return { name, version, licence: license ?? 'no licence named', text }
}
