/**
 * The guest's side of the runner: builds the lab, takes scenarios one after the other, prints one JSON line an event.
 *
 *     node e2e/run.ts CLAIMS JOB...
 *
 * A JOB is a scenario in a shape of the datapath: `l2-gateway (single)`. CLAIMS is a directory that guests share. Who
 * makes the directory CLAIMS/JOB runs it, so several guests divide the jobs among themselves as they go. With NODELEAF_TIMES set, a result says how long each step took.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { GuestEvent } from './event.ts'
import { jobNamed, type Job } from './job.ts'
import { Lab } from './lab/lab.ts'
import { loadScenario, patienceSeconds } from './scenario.ts'

function tell(event: GuestEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

async function claim(claims: string, name: string): Promise<boolean> {
  return mkdir(join(claims, name)).then(
    () => true,
    () => false,
  )
}

async function runJob(lab: Lab, job: Job): Promise<boolean> {
  const started = performance.now()
  const notes: string[] = []
  let step = 'start'
  let since = started
  let error: unknown
  const log = {
    step: (title: string) => {
      const now = performance.now()
      if (process.env['NODELEAF_TIMES'] !== undefined) notes.push(`${((now - since) / 1000).toFixed(1)} s: ${step}`)
      since = now
      step = title
    },
    note: (text: string) => void notes.push(text),
  }
  const over = new AbortController()
  try {
    const scenario = await loadScenario(job.scenario)
    const timeoutSeconds = patienceSeconds(scenario)
    lab.datapath = job.datapath
    await Promise.race([
      scenario.run(lab, log),
      pause(timeoutSeconds * 1000, undefined, { signal: over.signal }).then(() => {
        throw new Error(`took longer than ${timeoutSeconds} s`)
      }),
    ])
    log.step('')
  } catch (failure) {
    error = failure
  } finally {
    over.abort()
  }
  const ok = error === undefined
  tell({
    event: 'result',
    name: job.name,
    ok,
    seconds: (performance.now() - started) / 1000,
    notes,
    ...(ok ? {} : { step, message: said(error), diagnostics: await lab.diagnostics().catch(said) }),
  })
  return ok
}

function said(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

async function main([claims = '', ...names]: string[]): Promise<void> {
  const started = performance.now()
  const lab = await Lab.up()
  tell({ event: 'ready', seconds: (performance.now() - started) / 1000 })
  let ended = performance.now()
  for (const name of names) {
    if (!(await claim(claims, name))) continue
    tell({ event: 'begin', name, idleSeconds: (performance.now() - ended) / 1000 })
    const ok = await runJob(lab, jobNamed(name))
    ended = performance.now()
    // A scenario that ran into its time limit may still be at work: only a new fabric is certain then.
    const left = ok ? await lab.reset().catch((error: unknown) => [said(error)]) : ['the scenario failed']
    if (left.length > 0) {
      if (ok) tell({ event: 'unclean', name, left })
      await lab.rebuild()
    }
  }
}

await main(process.argv.slice(2))
// A scenario past its time limit may hold timers and processes.
process.exit(0)
