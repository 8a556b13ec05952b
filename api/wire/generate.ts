/**
 * Writes generated/ from distribution.proto, with protoc and protoc-gen-es. Run by hack/generate; a test fails when it is
 * stale.
 *
 * protoc is asked for only when the protocol has changed: what was generated carries the hash of what it came from.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const proto = join(import.meta.dirname, 'distribution.proto')
const code = join(import.meta.dirname, 'generated/distribution_pb.ts')

/** First line of the generated code. */
const STAMP = '// sha256 of distribution.proto: '

const stampLine = (): string => STAMP + createHash('sha256').update(readFileSync(proto)).digest('hex')

/** Whether the generated code is of the protocol as it is. */
export function isFresh(): boolean {
  return readFileSync(code, 'utf8').startsWith(`${stampLine()}\n`)
}

/** What hack/generate would write; undefined: protoc is not installed. @throws when protoc refuses the protocol. */
export function generated(): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'nodeleaf-wire-'))
  try {
    const plugin = `protoc-gen-es=${join(root, 'node_modules/.bin/protoc-gen-es')}`
    const path = `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`
    const options = ['--es_opt=target=ts,import_extension=ts', `--es_out=${directory}`, `--plugin=${plugin}`]
    const { error, status, stderr } = spawnSync('protoc', ['-I', import.meta.dirname, ...options, proto], {
      encoding: 'utf8',
      env: { ...process.env, PATH: path },
    })
    if (error && 'code' in error && error.code === 'ENOENT') return undefined
    if (error) throw error
    if (status !== 0) throw new Error(`protoc failed: ${stderr.trim()}`)
    return `${stampLine()}\n${readFileSync(join(directory, 'distribution_pb.ts'), 'utf8')}`
  } finally {
    rmSync(directory, { recursive: true })
  }
}

if (import.meta.main && !isFresh()) {
  const text = generated()
  if (text === undefined) {
    process.stderr.write('distribution.proto has changed: install protoc (Debian: protobuf-compiler), then again\n')
    process.exitCode = 1
  } else {
    writeFileSync(code, text)
    process.stdout.write('api/wire/generated/distribution_pb.ts\n')
  }
}
