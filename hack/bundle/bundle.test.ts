import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import manifest from '../../package.json' with { type: 'json' }
import { bundle, requireSources } from './bundle.ts'
import { licencesText, packagesOf } from './licences.ts'
import { chosen, programs, type Program } from './programs.ts'

const root = join(import.meta.dirname, '../..')
const there = (Object.keys(programs) as Program[]).filter((name) => existsSync(join(root, programs[name].source)))

for (const program of there) {
  test(`the bundled ${program} starts away from node_modules and says package.json's version`, async (t) => {
    const dist = mkdtempSync(join(tmpdir(), 'nodeleaf-bundle-'))
    t.teardown(() => rmSync(dist, { recursive: true }))
    const files = await bundle(root, program, dist)
    const file = join(dist, programs[program].bundle)
    const run = (flag: string) => spawnSync(process.execPath, [file, flag], { encoding: 'utf8', cwd: dist })
    const help = run('--help')
    t.is(help.status, 0, help.stderr)
    t.regex(help.stdout, /Usage: nodeleaf/)
    t.true(run('--version').stdout.includes(manifest.version))
    t.true(existsSync(`${file}.map`))

    const bundled = packagesOf(root, files)
    t.true(bundled.some(({ name }) => name === 'zod' || name === 'yaml'))
    t.deepEqual(
      bundled.filter(({ text, licence }) => text === '' && licence === 'no licence named'),
      [],
    )
    for (const { name, version } of bundled) t.true(licencesText(bundled).includes(`${name} ${version} (`))
  })
}

test('a program that is not there is named, and so are those that are', (t) => {
  t.throws(() => chosen(['agnet']), { message: 'there is no program "agnet": there are cli, agent, controller' })
  t.deepEqual(chosen(['agent']), ['agent'])
  t.throws(() => requireSources('/nowhere', ['agent']), { message: /agent\/main.ts is not there/ })
})

test('licences are those of the packages, also of nested and scoped ones', (t) => {
  const packages = packagesOf(root, [
    'cli/main.ts',
    'node_modules/yaml/dist/index.js',
    'node_modules/yaml/dist/parse.js',
  ])
  const version = JSON.parse(readFileSync(join(root, 'node_modules/yaml/package.json'), 'utf8')).version as string
  t.deepEqual(
    packages.map((each) => `${each.name} ${each.version}`),
    [`yaml ${version}`],
  )
  t.regex(packages[0]?.text ?? '', /Permission to use, copy, modify/)
})
