/** One file of a program and all it imports, runnable by `node FILE` or by itself. */
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { programs, type Program } from './programs.ts'

/** CommonJS packages inside an ES module call `require` for Node's own modules; ES modules have none. */
const banner = `#!/usr/bin/env node
import { createRequire as bundleRequire } from 'node:module'
const require = bundleRequire(import.meta.url)`

/** @throws Error when a program has no source yet */
export function requireSources(root: string, wanted: readonly Program[]): void {
  const missing = wanted.find((program) => !existsSync(join(root, programs[program].source)))
  if (missing === undefined) return
  const { source, bundle: name } = programs[missing]
  throw new Error(`${source} is not there, so ${name} cannot be built`)
}

/**
 * Writes `OUTDIR/NAME.mjs` and its source map. Identifiers keep their names: a stack trace is read at 2 am.
 * @returns the files that went in, relative to `root`
 */
export async function bundle(root: string, program: Program, outdir: string): Promise<readonly string[]> {
  const { source, bundle: name } = programs[program]
  const outfile = join(outdir, name)
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [source],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    charset: 'utf8',
    minifySyntax: true,
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'linked',
    banner: { js: banner },
    metafile: true,
    logLevel: 'warning',
  })
  chmodSync(outfile, 0o755)
  return Object.keys(metafile.inputs)
}
