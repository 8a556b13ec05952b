import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import manifest from '../package.json' with { type: 'json' }
import { programs } from '../hack/bundle/programs.ts'
import { assignments, dockerfileProblems, environmentOf } from './checks/dockerfile.ts'
import { agentObjection, controllerObjection } from './checks/program-flags.ts'
import { argumentsAfter, unitFile, type UnitFile } from './checks/unit-file.ts'

const root = join(import.meta.dirname, '..')
const text = (path: string): string => readFileSync(join(root, path), 'utf8')
const unit = (name: string): UnitFile => unitFile(text(`deploy/${name}`))
const one = (file: UnitFile, section: string, key: string): string => file.get(section)?.get(key)?.[0] ?? ''
const values = parse(text('deploy/helm/nodeleaf/values.yaml'))

test('units and quadlets give the programs flags that they take', (t) => {
  const agent = one(unit('systemd/nodeleaf-agent.service'), 'Service', 'ExecStart')
  t.is(agentObjection(argumentsAfter(agent, programs.agent.bundle)), undefined)
  const controller = one(unit('systemd/nodeleaf-controller.service'), 'Service', 'ExecStart')
  t.is(controllerObjection(argumentsAfter(controller, programs.controller.bundle)), undefined)
  t.is(agentObjection(one(unit('quadlet/nodeleaf-agent.container'), 'Container', 'Exec').split(' ')), undefined)
  t.is(
    controllerObjection(one(unit('quadlet/nodeleaf-controller.container'), 'Container', 'Exec').split(' ')),
    undefined,
  )
  t.regex(agentObjection(['--config-drr=x']) ?? '', /config-drr/)
  t.regex(controllerObjection(['--config-dir=x']) ?? '', /state-dir/)
})

test('units and quadlets have the capabilities that the chart has', (t) => {
  const caps = (words: string): string[] =>
    words
      .split(' ')
      .map((word) => word.replace('CAP_', ''))
      .sort()
  t.deepEqual(
    caps(one(unit('quadlet/nodeleaf-agent.container'), 'Container', 'AddCapability')),
    values.agent.capabilities.toSorted(),
  )
  t.deepEqual(
    caps(one(unit('quadlet/nodeleaf-frr.container'), 'Container', 'AddCapability')),
    values.frr.capabilities.toSorted(),
  )
  t.deepEqual(
    caps(one(unit('systemd/nodeleaf-frr.service'), 'Service', 'CapabilityBoundingSet')),
    values.frr.capabilities.toSorted(),
  )
  const agent = caps(one(unit('systemd/nodeleaf-agent.service'), 'Service', 'CapabilityBoundingSet'))
  const managed = new Set([...values.agent.capabilities, ...values.frr.capabilities, ...values.frr.managedCapabilities])
  t.deepEqual(agent, [...managed].sort())
})

test('the agent and FRR come before the kubelet, and nothing hides the namespace from the node', (t) => {
  for (const name of [
    'systemd/nodeleaf-agent.service',
    'systemd/nodeleaf-frr.service',
    'quadlet/nodeleaf-agent.container',
    'quadlet/nodeleaf-frr.container',
  ])
    t.true(one(unit(name), 'Unit', 'Before').includes('kubelet.service'), name)
  // systemd.exec(5): each of these gives the service a mount namespace, from which its mounts do not come back.
  const hides =
    /^(Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc)|Private(Tmp|Devices|Mounts)|(ReadOnly|ReadWrite|Inaccessible|Exec|NoExec)Paths|Bind(ReadOnly)?Paths|TemporaryFileSystem|MountFlags|RootDirectory|DynamicUser)$/
  const keys = [...(unit('systemd/nodeleaf-agent.service').get('Service')?.keys() ?? [])]
  t.deepEqual(
    keys.filter((key) => hides.test(key)),
    [],
  )
  t.true(
    unit('quadlet/nodeleaf-agent.container').get('Container')?.get('Volume')?.includes('/run/netns:/run/netns:rshared'),
  )
})

test('quadlets run the images of the chart', (t) => {
  t.is(
    one(unit('quadlet/nodeleaf-agent.container'), 'Container', 'Image'),
    `${values.agent.image.repository}:${manifest.version}`,
  )
  t.is(
    one(unit('quadlet/nodeleaf-controller.container'), 'Container', 'Image'),
    `${values.controller.image.repository}:${manifest.version}`,
  )
  t.is(
    one(unit('quadlet/nodeleaf-frr.container'), 'Container', 'Image'),
    `${values.frr.image.repository}:${values.frr.image.tag}`,
  )
})

test('the controller has the same environment in its unit as in its image', (t) => {
  const image = environmentOf(text('deploy/docker/controller.Dockerfile'))
  const lines = unit('systemd/nodeleaf-controller.service').get('Service')?.get('Environment') ?? []
  t.deepEqual(Object.fromEntries(lines.flatMap(assignments)), image)
  t.regex(image['NODE_OPTIONS'] ?? '', /--max-semi-space-size=\d+ --max-old-space-size=\d+/)
  t.deepEqual(environmentOf('FROM a AS b\nENV X=1\nFROM c\nENV Y=2 \\\n  Z="3 4"'), { Y: '2', Z: '3 4' })
})

test('the agent has the same environment in its unit as in its image', (t) => {
  const [image = ''] = text('deploy/docker/agent.Dockerfile').split('FROM agent AS')
  const lines = unit('systemd/nodeleaf-agent.service').get('Service')?.get('Environment') ?? []
  t.deepEqual(Object.fromEntries(lines.flatMap(assignments)), environmentOf(image))
  t.is(environmentOf(image)['NODE_OPTIONS'], '--v8-pool-size=1')
})

test('Dockerfiles copy what is there, and start what hack/build makes', (t) => {
  const ignored = text('.dockerignore').split('\n')
  for (const name of ['controller', 'agent']) {
    const dockerfile = text(`deploy/docker/${name}.Dockerfile`)
    t.deepEqual(dockerfileProblems(dockerfile, root, ignored), [])
  }
  t.true(text('deploy/docker/controller.Dockerfile').includes(`/opt/nodeleaf/${programs.controller.bundle}`))
  t.true(text('deploy/docker/agent/entrypoint').includes(`/opt/nodeleaf/${programs.agent.bundle}`))
  t.deepEqual(dockerfileProblems('FROM a AS b\nCOPY nowhere x\nCOPY --from=c x y', root, ignored), [
    'FROM a: an image that changes',
    'COPY nowhere: it is not there',
    'COPY nowhere: .dockerignore leaves it out',
    'COPY --from=c: there is no such stage before it',
  ])
})

test('every folder that the programs import is in the build context', (t) => {
  const ignored = text('.dockerignore').split('\n')
  const folders = readdirSync(root, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && existsSync(join(root, entry.name, 'README.md')),
  )
  const notShipped = new Set(['bench', 'bin', 'clab', 'deploy', 'docs', 'e2e', 'examples', 'hack'])
  const missing = folders
    .map(({ name }) => name)
    .filter((name) => !notShipped.has(name) && !ignored.includes(`!${name}/`))
  t.deepEqual(missing, [])
})

test('the pod asks an agent of the node to end and waits until it has; where there is none it goes on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nodeleaf-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const socket = join(folder, 'agent.sock')
  const takeOver = async (): Promise<number> => {
    const child = spawn(process.execPath, [join(root, 'deploy/docker/agent/take-over.mjs'), socket], {
      stdio: 'ignore',
    })
    const [status] = await once(child, 'exit')
    return status
  }
  t.is(await takeOver(), 0)

  const asked: string[] = []
  const agent = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.end()
    // It takes its time, as an agent in the middle of a pass does.
    if (asked.length === 3) agent.close()
  })
  agent.listen(socket)
  await once(agent, 'listening')
  t.is(await takeOver(), 0)
  t.false(agent.listening)
  t.deepEqual(asked, ['POST /stop', 'POST /stop', 'POST /stop'])
})
