import { create } from '@bufbuild/protobuf'
import test from 'ava'
import { eventually } from '../e2e/lab/eventually.ts'
import { difference, snapshotOf as stateOf } from '../e2e/lab/snapshot.ts'
import { readManifest } from '../api/manifest/read.ts'
import { piecesOf } from '../api/plan/pieces.ts'
import { plan } from '../api/plan/plan.ts'
import type { NodePlan } from '../api/plan/node-plan.ts'
import { revisionOf } from '../api/plan/revision.ts'
import { snapshotOf } from '../api/snapshot/snapshot.ts'
import { PlanUpdateSchema } from '../api/wire/generated/distribution_pb.ts'
import { FakeController, type FakeStream } from '../e2e/peers/fake-controller.ts'
import { makePki } from '../e2e/peers/pki.ts'
import { LabAgent, sh, UNDERLAY } from './lab-agent.ts'

const RED = `
apiVersion: nodeleaf.io/v1alpha1
kind: L3VNI
metadata: {name: red}
spec: {vni: 100, vrf: red}
`
const WEB = `
apiVersion: nodeleaf.io/v1alpha1
kind: L2VNI
metadata: {name: web}
spec: {vni: 110, vrf: red, gatewayIPs: [10.110.0.1/24]}
`

const NAME = 'c'
const HERE = '10.255.0.1'

/** What the controller makes of objects. */
function planned(...texts: string[]): NodePlan {
  const objects = texts.flatMap((text, at) => readManifest(`${at}`, text).documents.map(({ object }) => object))
  return plan(snapshotOf(objects), { name: NAME, index: 0, labels: {} }).plan
}

const pki = await makePki(['controller.example'])
const fake = await FakeController.start(pki, (stream) => stream.welcome(), false, '0.0.0.0')
const agent = new LabAgent(NAME, {
  controller: `${HERE}:${fake.port}`,
  'controller-ca': pki.files.ca,
  'controller-name': 'controller.example',
  'token-file': pki.files.token,
})
sh(`ip link add ctl0 type veth peer name ctl0 netns ${agent.host}
  ip addr add ${HERE}/24 dev ctl0; ip link set ctl0 up
  ip -n ${agent.host} addr add 10.255.0.2/24 dev ctl0; ip -n ${agent.host} link set ctl0 up`)

const stream = (): FakeStream => fake.streams.at(-1) as FakeStream
const report = () => stream().all('report').at(-1)

async function give(next: NodePlan): Promise<void> {
  const set = piecesOf(next).map(({ key, json }) => ({ key, json: new Uint8Array(json) }))
  stream().send({ case: 'plan', value: create(PlanUpdateSchema, { revision: revisionOf(next), set }) })
  await eventually('the plan is in place', () => report()?.applied === revisionOf(next))
}

test.serial('the API takes over from the same files without a write', async (t) => {
  agent.write('a.yaml', `${UNDERLAY}---${RED}`)
  await agent.start()
  const { counters: before } = await agent.settled(({ resources }) => resources.length === 2)
  await eventually('the agent is connected', () => fake.streams.length > 0)
  await give(planned(UNDERLAY, RED))
  const { counters, revision, problems, controller } = await agent.status()
  t.is(revision.from, 'controller')
  t.is(revision.applied, revision.controller)
  t.is(counters.netlinkWrites, before.netlinkWrites)
  t.is(counters.frrCommands, before.frrCommands)
  t.deepEqual(problems, [])
  t.is(controller?.state, 'connected')
})

test.serial('what the API adds comes, what it takes away from the files is back', async (t) => {
  await give(planned(UNDERLAY, RED, WEB))
  t.regex(sh(`ip -n ${agent.router} -br link`), /^pe-110\b/m)
  t.true(report()?.settled)
  t.deepEqual(report()?.unready, [])
  await give(planned(UNDERLAY, WEB))
  const status = await agent.settled(({ resources }) => resources.length === 3)
  t.true(status.resources.every(({ state }) => state === 'Ready'))
})

test.serial('VNIs are told when they are asked for, and that there is news when they change', async (t) => {
  let asked: bigint | undefined
  /** As the controller does, asks whenever the report tells of a newer version. */
  const vnisOf = (): string => {
    const version = report()?.detailVersion
    if (version !== asked) stream().send({ case: 'detailRequest', value: {} })
    asked = version
    const vnis = stream().all('detail').at(-1)?.vnis ?? []
    return vnis
      .map(({ vni, type, state }) => `${vni} ${type} ${state}`)
      .sort()
      .join()
  }
  await eventually('detail', () => vnisOf() === '100 L3 Up,110 L2 Up', { everyMs: 50 })
  t.is(stream().all('detail').at(-1)?.sessions[0]?.peer, '192.168.10.1')
  const known = report()?.detailVersion ?? 0n
  await give(planned(UNDERLAY))
  await eventually('a newer version', () => (report()?.detailVersion ?? 0n) > known, { everyMs: 20 })
  await eventually('one VNI is left', () => vnisOf() === '100 L3 Up', { everyMs: 50 })
})

test.serial(
  'without controller and files the node boots into the last plan of both, and nothing changes',
  async (t) => {
    await give(planned(UNDERLAY, WEB))
    const { revision } = await agent.settled()
    await agent.still()
    const [host, router] = [await stateOf(agent.host), await stateOf(agent.router)]
    await agent.stop('SIGKILL')
    fake.stop()
    sh(`mv ${agent.configDir} ${agent.configDir}.away`)
    await agent.start()
    const status = await agent.settled()
    t.is(status.revision.applied, revision.applied)
    t.is(status.revision.controller, revisionOf(planned(UNDERLAY, WEB)))
    t.deepEqual([status.counters.netlinkWrites, status.counters.frrCommands], [0, 0])
    t.deepEqual(difference(host, await stateOf(agent.host)), [])
    t.deepEqual(difference(router, await stateOf(agent.router)), [])
    t.not(status.controller?.state, 'connected')
  },
)

test.serial('uninstall leaves nothing of the controller', async (t) => {
  t.is(await agent.uninstall(), 0)
  t.deepEqual(agent.leftovers, [])
})

test.after.always(() => {
  fake.stop()
  void agent.stop('SIGKILL')
})
