/** `hack/build [PROGRAM...]`: writes dist/, from the programs, the netlink addon and the licences. */
import { copyFileSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundle, requireSources } from './bundle.ts'
import { licencesText, packagesOf } from './licences.ts'
import { chosen, programs } from './programs.ts'

const root = join(import.meta.dirname, '../..')
const dist = join(root, 'dist')

try {
  const wanted = chosen(process.argv.slice(2))
  requireSources(root, wanted)
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(join(dist, 'build'), { recursive: true })
  const files = new Set<string>()
  for (const program of wanted) {
    for (const file of await bundle(root, program, dist)) files.add(file)
    const name = programs[program].bundle
    process.stdout.write(`dist/${name} ${Math.round(statSync(join(dist, name)).size / 1024)} KiB\n`)
  }
  copyFileSync(join(root, 'build/netlink.node'), join(dist, 'build/netlink.node'))
  copyFileSync(join(root, 'LICENSE'), join(dist, 'LICENSE'))
  writeFileSync(join(dist, 'THIRD-PARTY-LICENCES.txt'), licencesText(packagesOf(root, [...files])))
  process.stdout.write('dist/build/netlink.node\ndist/THIRD-PARTY-LICENCES.txt\n')
} catch (error) {
  process.stderr.write(`build: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
