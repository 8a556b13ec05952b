/** Admission as people meet it: `kubectl apply` through an API server that asks the controller. */
import test from 'ava'
import { request } from 'node:https'
import type { Answer, KubeObject } from './client.ts'
import { eventually } from './cluster.ts'
import { declared, l2vni, l3vni, pathOf, root, underlay } from './objects.ts'
import type { Replica } from './replica.ts'
import { fromChart, type Scene } from './stage.ts'
import { stageSuite } from './stage-suite.ts'

const stage = stageSuite()

const configuration = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/nodeleaf'
const bundles = async (it: Scene): Promise<readonly (string | undefined)[]> =>
  ((await it.get(configuration))['webhooks'] as { clientConfig: { caBundle?: string } }[]).map(
    ({ clientConfig }) => clientConfig.caBundle,
  )

/** The chart's, with the replica's address in place of the Service, which only a cluster with a network has. */
async function install(it: Scene, { webhook }: Replica): Promise<void> {
  const [chart] = fromChart('ValidatingWebhookConfiguration')
  const webhooks = ((chart?.['webhooks'] ?? []) as object[]).map((each) => ({
    ...each,
    clientConfig: { url: `https://127.0.0.1:${webhook}/validate` },
  }))
  await it.apply({ ...(chart as KubeObject), webhooks })
}

/** What a person who writes it hears. */
const write = (it: Scene, object: KubeObject, dryRun = false): Promise<Answer> =>
  it.cluster.client.pathOf(object).then((path) =>
    it.cluster.client.call('PATCH', `${path}?fieldManager=kubectl&force=true${dryRun ? '&dryRun=All' : ''}`, {
      body: object,
      type: 'application/apply-patch+yaml',
    }),
  )

/** A replica that the API server asks, with what it has to trust. */
async function begin(it: Scene): Promise<Replica> {
  await it.nodes('node1', 'node2')
  const first = await it.replica('first')
  await install(it, first)
  await first.stop()
  // At its start a controller sees to the caBundle, and then every 15 s.
  const replica = await it.replica('second')
  await install(it, replica)
  return replica
}

/** Until the API server has heard of the configuration: an impossible object is refused by it. */
async function asked(it: Scene): Promise<void> {
  for (const object of [underlay(), l3vni('probe-a', 16000000, 'probe-a')])
    await eventually('it is let in', async () => (await write(it, object)).status < 300, { timeoutMs: 120_000 })
  await eventually('the webhook answers', async () => {
    const { status, body } = await write(it, l3vni('probe-b', 16000000, 'probe-b'), true)
    if (status !== 422) throw new Error(`${status} ${JSON.stringify(body)}`)
    return String(body.message).includes('L3VNI/probe-a')
  })
}

test.serial(
  'rules across objects refuse with object, field, value and the other one; the chart’s configuration is filled in',
  async (t) => {
    const it = await stage().scene(t)
    await begin(it)
    await eventually('the CA is in it', async () => (await bundles(it)).every((each) => (each ?? '') !== ''), {
      timeoutMs: 120_000,
    })
    await asked(it)
    t.is((await write(it, l3vni('red', 100, 'red'))).status, 201)
    const cases: readonly [KubeObject, RegExp][] = [
      [
        l2vni('web', 100),
        /^admission webhook "validate\.nodeleaf\.io" denied the request: L2VNI\/web: spec\.vni: 100: .*L3VNI\/red/,
      ],
      [l3vni('blue', 200, 'red'), /L3VNI\/blue: spec\.vrf: red: .*L3VNI\/red/],
      [{ ...underlay(), metadata: { name: 'second' } }, /Underlay\/second: .*Underlay\/fabric/],
    ]
    for (const [object, words] of cases) {
      const { status, body } = await write(it, object)
      t.is(status, 422)
      t.regex(body.message, words)
      t.is((await it.cluster.client.call('GET', pathOf(object.kind as 'L2VNI', object.metadata.name))).status, 404)
    }
    // A change of a good one into a bad one too, and what it was stays.
    t.is((await write(it, l2vni('web', 110))).status, 201)
    const bad = await write(it, l2vni('web', 100))
    t.is(bad.status, 422)
    t.is((await it.get(pathOf('L2VNI', 'web')))['spec'].vni, 110)
  },
)

test.serial('what is legal and hardly meant is warned of, and done', async (t) => {
  const it = await stage().scene(t)
  await begin(it)
  await asked(it)
  const cases: readonly [KubeObject, RegExp][] = [
    [l2vni('web', 110, { vrf: 'nowhere' }), /no L3VNI has the VRF nowhere/],
    [
      l2vni('db', 120, { nodeSelector: { matchLabels: { rack: 'none' } } }),
      /spec\.nodeSelector matches none of the 2 nodes/,
    ],
    [
      declared('L3Passthrough', 'out', {
        hostSession: {
          asn: 64514,
          hostASN: 64515,
          localCIDR: { ipv4: '192.169.20.0/24' },
          passwordSecret: { name: 'bgp', key: 'password' },
        },
      }),
      /Secret\/bgp is not known yet/,
    ],
  ]
  for (const [object, words] of cases) {
    const { status, warnings } = await write(it, object)
    t.is(status, 201)
    t.true(
      warnings.some((each) => words.test(each)),
      `${object.metadata.name}: ${warnings.join('; ')}`,
    )
  }
  t.deepEqual((await write(it, l2vni('plain', 130))).warnings, [])
  const deleted = await eventually('the controller knows of them', async () => {
    const answer = await it.cluster.client.call('DELETE', `${pathOf('Underlay', 'fabric')}?dryRun=All`)
    return answer.warnings.length > 0 ? answer : undefined
  })
  t.regex(deleted.warnings[0] ?? '', /L2VNI\/plain.* will not be Ready: no Underlay is left on nodes node1, node2/)
})

test.serial('a webhook that is down stops changes, and never a deletion nor a status', async (t) => {
  const it = await stage().scene(t)
  const replica = await begin(it)
  await asked(it)
  await it.apply(l2vni('web', 110))
  await replica.stop()
  const refused = await write(it, l2vni('web', 111))
  t.is(refused.status, 500)
  t.regex(refused.body.message, /failed calling webhook "validate\.nodeleaf\.io"/)
  const status = await it.cluster.client.call('PATCH', `${pathOf('L2VNI', 'web')}/status`, {
    body: { status: { conditions: [] } },
    type: 'application/merge-patch+json',
  })
  t.is(status.status, 200)
  t.is((await it.cluster.client.call('DELETE', pathOf('L2VNI', 'web'))).status, 200)
  t.is((await it.cluster.client.call('GET', pathOf('L2VNI', 'web'))).status, 404)
  for (const path of [pathOf('L3VNI', 'probe-a'), pathOf('Underlay', 'fabric')])
    t.is((await it.cluster.client.call('DELETE', path)).status, 200)
})

test.serial('two objects of one apply, faster than any watch: the second sees the first', async (t) => {
  const it = await stage().scene(t)
  await begin(it)
  await asked(it)
  for (let round = 0; round < 10; round++) {
    const answers = [
      await write(it, l2vni(`a${round}`, 1000 + round)),
      await write(it, l3vni(`b${round}`, 1000 + round, `v${round}`)),
    ]
    t.deepEqual(
      answers.map(({ status }) => status),
      [201, 422],
    )
  }
})

test.serial('a caBundle that somebody empties is filled in again', async (t) => {
  const it = await stage().scene(t)
  await begin(it)
  await eventually('the CA is in it', async () => (await bundles(it)).every((each) => (each ?? '') !== ''), {
    timeoutMs: 120_000,
  })
  const before = await bundles(it)
  const emptied = ((await it.get(configuration))['webhooks'] as { clientConfig: object }[]).map((each) => {
    const { caBundle: _, ...clientConfig } = each.clientConfig as { caBundle?: string }
    return { ...each, clientConfig }
  })
  await it.cluster.client.ask('PATCH', configuration, {
    body: { webhooks: emptied },
    type: 'application/merge-patch+json',
  })
  await eventually('it is there again', async () => (await bundles(it)).every((each, at) => each === before[at]), {
    timeoutMs: 120_000,
  })
  t.deepEqual(await bundles(it), before)
})

test.serial('every replica answers, whoever leads, and gives the same verdicts', async (t) => {
  const it = await stage().scene(t)
  await it.nodes('node1')
  await it.apply(underlay(), l3vni('red', 100, 'red'))
  const replicas = await Promise.all(['one', 'two', 'three'].map((name) => it.replica(name)))
  const ca = await it.trusted()
  for (const { name, webhook } of replicas) {
    const response = await eventually(`${name} knows of red`, async () => {
      const answer = await review(webhook, ca, l2vni('web', 100))
      return answer.response.allowed ? undefined : answer.response
    })
    t.like(response, { uid: 'asked', allowed: false })
    t.regex(response.status?.message ?? '', /L3VNI\/red/)
    t.true((await review(webhook, ca, l2vni('web', 110))).response.allowed)
  }
})

interface Review {
  readonly response: { readonly uid: string; readonly allowed: boolean; readonly status?: { readonly message: string } }
}

/** As an API server asks: over TLS, with the name of the Service. */
function review(port: number, ca: string, object: KubeObject): Promise<Review> {
  const kind = { group: 'nodeleaf.io', version: 'v1alpha1', kind: object.kind }
  const resource = { group: 'nodeleaf.io', version: 'v1alpha1', resource: `${object.kind.toLowerCase()}s` }
  const asking = {
    uid: 'asked',
    kind,
    resource,
    name: object.metadata.name,
    operation: 'CREATE',
    userInfo: {},
    object,
    oldObject: null,
    dryRun: true,
  }
  const { promise, resolve, reject } = Promise.withResolvers<Review>()
  const sent = request(
    {
      host: '127.0.0.1',
      port,
      path: '/validate',
      method: 'POST',
      ca,
      servername: 'nodeleaf-controller.nodeleaf-system.svc',
      headers: { 'content-type': 'application/json' },
    },
    (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () =>
        response.statusCode === 200 ? resolve(JSON.parse(text) as Review) : reject(new Error(text)),
      )
    },
  )
  sent.on('error', reject)
  sent.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: asking }))
  return promise
}

test.serial('a status that the controller writes is no business of the webhook', async (t) => {
  const it = await stage().scene(t)
  const replica = await begin(it)
  await asked(it)
  await it.apply(l2vni('web', 110))
  await it.agent('node1')
  await it.agent('node2')
  await it.ready('L2VNI', 'web')
  const { managedFields = [] } = (await it.get(pathOf('L2VNI', 'web'))).metadata
  t.deepEqual(managedFields.map(({ manager }) => manager).toSorted(), ['nodeleaf', 'test'])
  t.regex(await replica.metrics(), /nodeleaf_admission_/)
  t.true((await it.list(`${root}/l2vnis`)).length > 0)
})
