/**
 * The guest's side of hack/lab: builds the fabric (with `demo` the whole demo), then does what requests ask for. A request
 * is a file in /out/requests, NAME.json; its answer is NAME.out, growing, and NAME.status when it is over. Files, because
 * they are what a user-mode kernel and the machine share.
 *
 *     node e2e/serve.ts [demo]
 */
import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { demo } from './demo.ts'
import { attempt } from './lab/command.ts'
import { Lab } from './lab/lab.ts'
import type { LabRequest } from './request.ts'

const OUT = process.env['NODELEAF_OUT'] ?? '/out'
const REQUESTS = join(OUT, 'requests')
const SHELL_CONSOLE = '/dev/tty2'

const RC = `
PS1='lab# '
on() { local name=$1; shift; nsenter --net="/run/netns/$name" "$@"; }
nodeleaf() { local node=$1; shift; nsenter --net="/run/netns/$node" /nodeleaf/bin/nodeleaf "$@" --run-dir "/tmp/lab/$node/run"; }
echo 'The fabric runs. Try:  ip netns   on hostred ip route   vtysh -N leaf -c "show bgp summary"'
[ ! -d /tmp/lab/node1/run ] || echo '                      nodeleaf node1 status   vtysh -N router-node1 -c "show evpn vni"'
[ -z "$READY" ] || { echo ready >"$READY"; sync "$READY"; unset READY; }
`

async function main(words: readonly string[]): Promise<never> {
  await mkdir(REQUESTS, { recursive: true })
  await writeFile('/tmp/shellrc', RC)
  let well = true
  if (words[0] === 'demo') well = await demo()
  else await Lab.up()
  await announce({ well, kind: process.env['NODELEAF_GUEST'] ?? '' })
  const taken = new Set<string>()
  for (;;) {
    for (const file of readdirSync(REQUESTS)) {
      if (!file.endsWith('.json') || taken.has(file)) continue
      taken.add(file)
      void serve(file.slice(0, -'.json'.length), JSON.parse(readFileSync(join(REQUESTS, file), 'utf8')) as LabRequest)
    }
    await pause(100)
  }
}

async function announce(state: object): Promise<void> {
  await writeFile(join(OUT, '.up'), JSON.stringify(state), { flush: true })
  await rename(join(OUT, '.up'), join(OUT, 'up'))
}

async function serve(name: string, request: LabRequest): Promise<void> {
  const status = request.do === 'exec' ? await execute(name, request.argv) : await shell(name, request)
  writeFileSync(join(REQUESTS, `${name}.status`), String(status), { flush: true })
}

function execute(name: string, argv: readonly string[]): Promise<number> {
  const [namespace = '', ...command] = argv
  const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
  // Synchronous appends: the machine sees them at once.
  const write = (chunk: Buffer) => appendFileSync(join(REQUESTS, `${name}.out`), chunk, { flush: true })
  child.stdout.on('data', write)
  child.stderr.on('data', write)
  child.on('error', (error) => write(Buffer.from(`${error.message}\n`)))
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 128)))
}

/** A shell on the console that is a channel to the machine, with job control. */
async function shell(name: string, request: LabRequest & { do: 'shell' }): Promise<number> {
  await attempt(['stty', '-F', SHELL_CONSOLE, 'sane', 'rows', String(request.rows), 'cols', String(request.columns)])
  const ready = join(REQUESTS, `${name}.ready`)
  const script = `exec setsid -c bash --rcfile /tmp/shellrc -i <${SHELL_CONSOLE} >${SHELL_CONSOLE} 2>&1`
  const child = spawn('sh', ['-c', script], {
    stdio: 'ignore',
    env: { ...process.env, TERM: request.terminal, READY: ready },
  })
  const resize = setInterval(() => {
    const path = join(REQUESTS, `${name}.size`)
    if (existsSync(path)) void attempt(['stty', '-F', SHELL_CONSOLE, ...readFileSync(path, 'utf8').split(' ')])
  }, 500)
  const status = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 128)))
  clearInterval(resize)
  return status
}

await main(process.argv.slice(2))
