/** Secrets are where they belong and nowhere else. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { attempt } from './command.ts'
import type { LabNode } from './node.ts'

/** That nothing on a node that everyone can read, and nothing that its agent says, has this text in it. */
export async function showsNone({ name, agent, routerFrr }: LabNode, mark: string): Promise<void> {
  const shown = {
    log: await agent.log(),
    status: (await agent.cli('status')).stdout,
    'status -o json': (await agent.cli('status', '-o', 'json')).stdout,
    metrics: await metricsOf(agent.runDir),
  }
  for (const [what, text] of Object.entries(shown)) {
    assert.ok(text.length > 0, `${name} has a ${what}`)
    assert.ok(!text.includes(mark), `a password is in the ${what} of ${name}`)
  }
  // What the agent and FRR leave on disk, and what everyone can see of processes.
  const folders = [
    agent.stateDir,
    agent.runDir,
    `/etc/frr/${routerFrr.name}`,
    `/run/frr/${routerFrr.name}`,
    '/var/log/frr',
  ]
  const holders = (await attempt(['grep', '-rlsa', '-D', 'skip', mark, ...folders])).stdout.split('\n').filter(Boolean)
  const readable: string[] = []
  for (const file of holders.filter((path) => !path.startsWith('/var/log/frr/') || path.includes(routerFrr.name))) {
    const denied = await attempt(['runuser', '-u', 'nobody', '--', 'cat', file])
    if (denied.status === 0) readable.push(file)
  }
  assert.deepEqual(readable, [], 'files with a password that everyone can read')
  const commandLines = (await attempt(['sh', '-c', 'cat /proc/[0-9]*/cmdline'])).stdout
  assert.ok(!commandLines.includes(mark), 'a password is on a command line')
}

async function metricsOf(runDir: string): Promise<string> {
  const { stdout } = await attempt(['curl', '-s', '--unix-socket', join(runDir, 'agent.sock'), 'http://agent/metrics'])
  return stdout
}
