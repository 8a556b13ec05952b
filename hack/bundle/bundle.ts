/** A program and all it imports: one file to run, by `node FILE` or by itself, and beside it what it loads when needed. */
import { chmodSync, existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { programs, type Program } from './programs.ts'

/** CommonJS packages inside an ES module call `require` for Node's own modules; ES modules have none. */
const banner = `#!/usr/bin/env node
import { createRequire as bundleRequire } from 'node:module'
const require = bundleRequire(import.meta.url)`

/** grpc-js reads .proto files for the service that shows its channels, which nothing here offers: a large parser. */
const withoutChannelz: Plugin = {
  name: 'without channelz',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ path }) => ({ path, namespace: 'left-out' }))
    onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {}' }))
  },
}

/** @throws Error when a program has no source yet */
export function requireSources(root: string, wanted: readonly Program[]): void {
  const missing = wanted.find((program) => !existsSync(join(root, programs[program].source)))
  if (missing === undefined) return
  const { source, bundle: name } = programs[missing]
  throw new Error(`${source} is not there, so ${name} cannot be built`)
}

/**
 * Writes `OUTDIR/NAME.mjs`, with `OUTDIR/NAME-*.mjs` where it imports dynamically, and source maps. Identifiers keep their
 * names: a stack trace is read at 2 am.
 * @returns the files that went in, relative to `root`
 */
export async function bundle(root: string, program: Program, outdir: string): Promise<readonly string[]> {
  const { source, bundle: name } = programs[program]
  const stem = basename(name, '.mjs')
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { [stem]: source },
    outdir,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    chunkNames: `${stem}-[name]-[hash]`,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    charset: 'ascii',
    minifySyntax: true,
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'linked',
    banner: { js: banner },
    plugins: [withoutChannelz],
    metafile: true,
    logLevel: 'warning',
  })
  chmodSync(join(outdir, name), 0o755)
  return Object.keys(metafile.inputs)
}
