/**
 * `node hack/bundle/measure.ts [RUNS]`: what each program's start takes, CPU time and memory, bundled (`hack/build` first)
 * and from the sources. Starting is `--help`: every module is loaded, nothing is done. Medians. CPU time, because what else
 * runs on the machine hardly changes it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { programs } from './programs.ts'

const root = join(import.meta.dirname, '../..')
const runs = Number(process.argv[2] ?? 15)
/** Kilobytes and microseconds: getrusage(2). */
const tellUsage =
  'data:text/javascript,process.on("exit",()=>{const u=process.resourceUsage();console.error(`usage=${u.maxRSS},${u.userCPUTime+u.systemCPUTime}`)})'

process.stdout.write(`| program | from | CPU ms | MiB |\n| --- | --- | --- | --- |\n`)
for (const { source, bundle } of Object.values(programs)) {
  for (const [from, file] of [['sources', source] as const, ['bundle', `dist/${bundle}`] as const]) {
    if (!existsSync(join(root, file))) continue
    const taken = Array.from({ length: runs }, () => start(join(root, file)))
    const ms = median(taken.map((each) => each.ms))
    const mib = median(taken.map((each) => each.mib))
    process.stdout.write(`| ${bundle.replace('.mjs', '')} | ${from} | ${Math.round(ms)} | ${Math.round(mib)} |\n`)
  }
}

function start(file: string): { readonly ms: number; readonly mib: number } {
  const { status, stderr } = spawnSync(process.execPath, ['--import', tellUsage, file, '--help'], { encoding: 'utf8' })
  const [, peak, cpu] = /usage=(\d+),(\d+)/.exec(stderr) ?? []
  if (status !== 0 || peak === undefined) throw new Error(`${file} --help does not start: ${stderr}`)
  return { ms: Number(cpu) / 1000, mib: Number(peak) / 1024 }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
