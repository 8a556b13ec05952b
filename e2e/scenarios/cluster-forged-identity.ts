import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { tokenFor } from '../control-plane/cluster.ts'
import { established, hasNoRouter, reaches } from '../lab/checks.ts'
import type { ControlPlane } from '../lab/control-plane.ts'
import { eventually } from '../lab/eventually.ts'
import { l3vni, underlay } from '../lab/resources.ts'
import { announcedBy, startFrrSpeaker } from '../lab/speaker.ts'
import type { Scenario } from '../scenario.ts'

interface Forgery {
  readonly what: string
  readonly token: (plane: ControlPlane) => Promise<string>
  /** As the controller counts it; a word of the agent's status, too. */
  readonly reason: string
  /** What the agent says; by default the reason. */
  readonly said?: RegExp
}

const agentToken = (plane: ControlPlane, options: Parameters<typeof tokenFor>[2]): Promise<string> =>
  tokenFor(plane.client, 'nodeleaf-agent', { node: 'node2', audiences: ['nodeleaf'], ...options })

const FORGERIES: readonly Forgery[] = [
  {
    what: "node1's token",
    token: (plane) => agentToken(plane, { node: 'node1' }),
    reason: 'OtherNode',
    said: /another node/,
  },
  { what: 'an expired token', token: expired, reason: 'TokenExpired' },
  {
    what: 'a token for another audience',
    token: (plane) => agentToken(plane, { audiences: ['https://kubernetes.default.svc'] }),
    reason: 'WrongAudience',
  },
  {
    what: 'a token of another ServiceAccount',
    token: ({ client }) => tokenFor(client, 'nodeleaf-controller', { node: 'node2', audiences: ['nodeleaf'] }),
    reason: 'WrongServiceAccount',
  },
  { what: 'no valid token', token: async () => 'Xq7vForged.Xq7vForged.Xq7vForged', reason: 'TokenRejected' },
  {
    what: 'a token without a node',
    token: ({ client }) => tokenFor(client, 'nodeleaf-agent', { audiences: ['nodeleaf'] }),
    reason: 'NotNodeBound',
  },
]

export const scenario: Scenario = {
  name: 'cluster-forged-identity',
  summary: 'an agent gets nothing without a token of its own node, whatever it says; the others do not notice',
  // Processes in user-mode Linux on a busy machine.
  timeoutSeconds: 180,
  async run(lab, t) {
    const plane = await lab.startControlPlane()
    const [controller] = plane.controllers
    if (controller === undefined) throw new Error('no controller')
    const [node1, node2] = [lab.node('node1'), lab.node('node2')]

    t.step('node1 is served')
    await plane.startAgents([node1])
    await plane.apply(underlay(), l3vni('red'))
    await eventually('node1 is Ready', async () => {
      const { conditions = [] } = (await plane.get('routernodes/node1'))?.['status'] ?? {}
      return conditions.some(
        (each: { type: string; status: string }) => each.type === 'Ready' && each.status === 'True',
      )
    })
    await established(await startFrrSpeaker(node1, ['red']), ['192.169.10.1', 'fd00:c9:10::1'])
    const [address] = announcedBy('node1', 'red')
    await reaches(lab.ns('hostred'), [address])
    const pinger = lab.ns('hostred').pinger(address, { interval: 0.1 })
    const before = await node1.agent.status()

    for (const { what, token: tokenOf, reason, said = new RegExp(reason) } of FORGERIES) {
      t.step(`an agent that says it is node2 with ${what}`)
      const token = await tokenOf(plane)
      await writeFile(plane.tokenFile(node2), token)
      const counted = refusals(await controller.metrics(), reason)
      await plane.startAgents([node2])
      const {
        controller: link,
        revision,
        resources,
      } = await eventually('it is refused', async () => {
        const status = await node2.agent.status()
        if (status.controller?.state !== 'refused') throw new Error(JSON.stringify(status.controller))
        return status
      })
      assert.match(link?.lastError ?? '', said)
      assert.deepEqual([revision.desired, resources], [undefined, []], 'it has no plan')
      await hasNoRouter(node2)
      assert.match(await node2.agent.log(), /refuses this agent/)
      assert.ok(refusals(await controller.metrics(), reason) > counted, `${reason} is counted`)
      assert.match(await controller.process.log(), new RegExp(`an agent is refused.*peer=10\\.99\\.0\\.12:.*${reason}`))
      if (what === FORGERIES[0]?.what) {
        const shown = await node2.agent.cli('status')
        assert.match(shown.stdout, /refused for .*, (Unauthenticated|PermissionDenied): /)
        assert.equal(shown.status, 1, 'nodeleaf status says that all is not well')
      }
      await node2.agent.kill()
      for (const text of [await controller.process.log(), await node2.agent.log(), JSON.stringify(link)])
        assert.ok(!text.includes(token) && !text.includes(token.split('.').at(-1) ?? token), 'nobody shows the token')
      t.note(`${what}: ${link?.lastError}`)
    }

    t.step('node1 has not noticed')
    const after = await node1.agent.status()
    assert.deepEqual(after.controller?.since, before.controller?.since, 'connected all the time')
    assert.deepEqual(after.revision, before.revision)
    assert.equal(after.counters.netlinkWrites, before.counters.netlinkWrites)
    assert.equal(after.counters.frrCommands, before.counters.frrCommands)
    const { status } = (await plane.get('routernodes/node2')) ?? { status: undefined }
    const linked = status?.conditions?.find(({ type }: { type: string }) => type === 'Connected')
    assert.notEqual(linked?.status, 'True', 'nobody has connected as node2')

    t.step('with its own token node2 joins')
    await plane.giveToken('node2')
    await plane.startAgents([node2])
    await plane.condition('l3vnis/red', 'Ready', 'True')
    assert.equal((await plane.get('l3vnis/red'))?.['status'].nodes.summary, '2/2')
    await established(await startFrrSpeaker(node2, ['red']), ['192.169.10.1', 'fd00:c9:10::1'])
    await reaches(lab.ns('hostred'), [...announcedBy('node2', 'red')])
    const { lost, sent } = await pinger.stop()
    assert.equal(lost, 0)
    t.note(`node1: 0 of ${sent} packets lost`)
  },
}

/** The API server issues none, so its signing key does. */
async function expired(plane: ControlPlane): Promise<string> {
  // Makes the Pod that it is bound to.
  await agentToken(plane, {})
  const bound = { kind: 'Pod', name: 'nodeleaf-agent-node2' } as const
  const order = { do: 'token', namespace: 'nodeleaf-system', name: 'nodeleaf-agent', bound } as const
  const issued = await plane.order({ ...order, audiences: ['nodeleaf'], expirationSeconds: -60 })
  return (issued as { token: string }).token
}

function refusals(metrics: string, reason: string): number {
  return Number(
    new RegExp(`^nodeleaf_agents_refused_total\\{reason="${reason}"\\} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0,
  )
}
