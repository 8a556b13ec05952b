import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import { createAuthority, signed, type Authority } from '../../controller/tls/authority.ts'
import { Refused } from '../control-plane/client.ts'
import { Controller, type ControlPlane } from '../lab/control-plane.ts'
import { eventually } from '../lab/eventually.ts'
import type { LabNode } from '../lab/node.ts'
import { l3vni } from '../lab/resources.ts'
import { serveFabric } from '../lab/served-fabric.ts'
import type { Scenario } from '../scenario.ts'

const HOUR_S = 3600

/** Seconds after its making at which the first CA has to have a successor, and at which what it signed is renewed. */
const SUCCESSOR_AFTER = 15
const RENEWAL_AFTER = 29

const WEBHOOKS = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/nodeleaf'

export const scenario: Scenario = {
  name: 'cluster-certificates',
  summary: 'the CA is replaced while everything runs: agents and webhook work before, meanwhile and after',
  // Processes in user-mode Linux on a busy machine.
  timeoutSeconds: 180,
  async run(lab, t) {
    const first = await oldAuthority()
    let kubelet: Kubelet | undefined
    const stop = new AbortController()
    try {
      t.step('a CA that is nearly at two thirds of its life')
      const { plane, watchTraffic, watchWrites } = await serveFabric(lab, {
        prepare: async (prepared) => {
          await prepared.apply(secretOf(first))
          kubelet = new Kubelet(prepared, lab.nodes, stop.signal)
        },
      })
      const [controller] = plane.controllers
      if (controller === undefined || kubelet === undefined) throw new Error('no controller')
      const { pid } = controller.process
      const traffic = watchTraffic()
      const writes = await watchWrites()

      t.step('its successor is trusted by all, then it signs; nobody is restarted')
      await eventually('another CA signs', () => kubelet?.last?.signedBy === 'second', { timeoutMs: 180_000 })
      const looks = kubelet.seen.length
      await eventually('the webhook was asked again', () => (kubelet?.seen.length ?? 0) > looks + 1)
      const { seen } = kubelet
      assert.equal(controller.process.pid, pid)
      assert.equal(seen[0]?.signedBy, 'first')
      assert.equal(seen[0]?.trusted, 1)
      const both = seen.findIndex(({ trusted }) => trusted === 2)
      const renewed = seen.findIndex(({ signedBy }) => signedBy === 'second')
      assert.ok(both >= 0 && both < renewed, 'both are trusted before the second one signs')
      assert.ok(
        seen.slice(both).every(({ trusted }) => trusted === 2),
        'the first one is trusted as long as it lives',
      )
      t.note(`both trusted ${seen[both]?.second} s, the second one signs ${seen[renewed]?.second} s after the start`)

      t.step('the webhook judged all the time')
      const judged = seen.filter(({ webhook }) => webhook !== undefined)
      assert.ok(judged.length > 5)
      for (const { second, webhook } of judged) assert.match(webhook ?? '', /L3VNI\/red/, `after ${second} s`)
      t.note(`webhook asked ${judged.length} times, judged each time`)
      const { webhooks } = await plane.client.ask('GET', WEBHOOKS)
      for (const { name, clientConfig } of webhooks as readonly Webhook[])
        assert.equal(certificatesIn(Buffer.from(clientConfig.caBundle, 'base64').toString()), 2, name)

      t.step('agents are connected and have written nothing')
      await connected(lab.nodes)
      await writes.check()

      t.step('an agent that starts now connects')
      const [node1] = lab.nodes
      if (node1 === undefined) throw new Error('no node')
      await node1.agent.stop()
      await plane.startAgents([node1])
      await connected([node1])

      t.step('a controller that starts now is believed too')
      await controller.process.end('SIGTERM')
      await controller.start()
      await connected(lab.nodes)
      await plane.condition('l3vnis/red', 'Ready', 'True')
      const served = await servingCertificate(plane, Controller.agents)
      assert.ok(!signed(first, served), 'the second CA signs')
      for (const { name, agent } of lab.nodes) {
        const { counters } = await agent.status()
        // node1's agent is a new one, so all that it ever wrote.
        if (name === 'node1') assert.deepEqual([counters.netlinkWrites, counters.frrCommands], [0, 0])
      }
      await eventually('the webhook is asked', () => /L3VNI\/red/.test(kubelet?.last?.webhook ?? ''))
      t.note(`0 of ${await traffic.stop()} packets lost`)
    } finally {
      stop.abort()
      await kubelet?.ended
    }
  },
}

interface Webhook {
  readonly name: string
  readonly clientConfig: { readonly caBundle: string }
}

interface Look {
  /** Since the first look. */
  readonly second: number
  /** How many CAs agents were told to trust. */
  readonly trusted: number
  readonly signedBy: 'first' | 'second'
  /** What came of an object that contradicts another; undefined before there was one to contradict. */
  readonly webhook: string | undefined
}

/** Does what kubelet does, but every second: brings the ConfigMap to the agents. And looks at what is served. */
class Kubelet {
  readonly seen: Look[] = []
  readonly ended: Promise<void>
  readonly #plane: ControlPlane
  readonly #nodes: readonly LabNode[]
  readonly #began = performance.now()
  #failure: Error | undefined
  #first = ''

  constructor(plane: ControlPlane, nodes: readonly LabNode[], signal: AbortSignal) {
    this.#plane = plane
    this.#nodes = nodes
    this.ended = this.#run(signal)
  }

  /** Of the last look. @throws why it failed */
  get last(): Look | undefined {
    if (this.#failure !== undefined) throw this.#failure
    return this.seen.at(-1)
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Controllers may be about to start; a look that fails when they should be there is missed by who waits for it.
      await this.#look().catch((error: Error) => (this.#failure = error))
      await pause(1000, undefined, { signal }).catch(() => undefined)
    }
  }

  async #look(): Promise<void> {
    const ca = (await this.#plane.get('configmaps/nodeleaf-ca'))?.['data']?.['ca.crt'] as string | undefined
    if (ca === undefined) return
    this.#failure = undefined
    for (const node of this.#nodes) {
      const path = this.#plane.caFile(node)
      await writeFile(`${path}.new`, ca)
      await rename(`${path}.new`, path)
    }
    if (this.#first === '') this.#first = ca
    const served = await servingCertificate(this.#plane, Controller.webhook)
    this.seen.push({
      second: Math.round((performance.now() - this.#began) / 1000),
      trusted: certificatesIn(ca),
      signedBy: signed({ cert: this.#first }, served) ? 'first' : 'second',
      webhook: await this.#judgement(),
    })
  }

  async #judgement(): Promise<string | undefined> {
    if ((await this.#plane.get('l3vnis/red')) === undefined) return undefined
    try {
      await this.#plane.apply(l3vni('thief', { vni: 100 }))
      return 'nothing was said against it'
    } catch (error) {
      // A controller that is away between two lives is not what is looked at here.
      if (error instanceof Refused && this.#plane.controllers.every(({ process }) => process.running))
        return error.message
      return undefined
    }
  }
}

/**
 * A CA with less than a day left, so that its successor need not wait until a certificate would have reached everyone by
 * itself (controller/tls/rotation.ts). What it signs in the seconds after is valid since an hour before: the length of its
 * life follows from when that is to be renewed, at two thirds as well.
 */
async function oldAuthority(): Promise<Authority> {
  const lifeS = (9 / 2) * (HOUR_S / 3 + RENEWAL_AFTER - (2 / 3) * SUCCESSOR_AFTER)
  const beginsS = SUCCESSOR_AFTER - (2 / 3) * lifeS
  return createAuthority(Date.now() + (beginsS + HOUR_S) * 1000, (lifeS - HOUR_S) * 1000)
}

/** As controllers keep it. */
function secretOf({ cert, key }: Authority): object {
  const name = new X509Certificate(cert).serialNumber.toLowerCase()
  const data = { [`${name}.crt`]: btoa(cert), [`${name}.key`]: btoa(key) }
  const metadata = { name: 'nodeleaf-ca', namespace: 'nodeleaf-system' }
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data }
}

/** What a controller shows now to whoever connects, in PEM. */
async function servingCertificate({ controllers }: ControlPlane, port: number): Promise<string> {
  const [controller] = controllers
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  // Who it is, is what is looked at.
  const socket = connect({
    host: controller?.address ?? '',
    port,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2', 'http/1.1'],
  })
  socket.setTimeout(30_000, () => socket.destroy(new Error('no handshake')))
  socket.once('error', reject)
  socket.once('secureConnect', () => {
    const shown = socket.getPeerX509Certificate()
    if (shown === undefined) reject(new Error('no certificate'))
    else resolve(shown.toString())
    socket.destroy()
  })
  return promise
}

const certificatesIn = (pem: string): number => pem.match(/BEGIN CERTIFICATE/g)?.length ?? 0

async function connected(nodes: readonly LabNode[]): Promise<void> {
  for (const { name, agent } of nodes)
    await eventually(`${name} is connected`, async () => (await agent.status()).controller?.state === 'connected', {
      timeoutMs: 120_000,
    })
}
