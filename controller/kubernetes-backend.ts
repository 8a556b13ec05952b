/** With Kubernetes: the world from the API server, a Lease for leadership, tokens of ServiceAccounts, and the webhook. */
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Registry } from 'prom-client'
import type { Log } from '../log/log.ts'
import manifest from '../package.json' with { type: 'json' }
import { createAdmissionMetrics } from './admission/metrics.ts'
import { Webhook } from './admission/webhook.ts'
import type { Backend } from './backend.ts'
import { clientCertificate } from './distribution/client-certificate.ts'
import { either } from './distribution/either.ts'
import type { Leadership } from './distribution/ports.ts'
import { tokenReview, type PodFacts, type TokenApi, type TokenReviewStatus } from './distribution/token-review.ts'
import { AdmissionView } from './fabric/admission-view.ts'
import { KubeStore } from './fabric/kube-store.ts'
import { isNotFound } from './kube/api-error.ts'
import { Api } from './kube/api.ts'
import { EventRecorder } from './kube/events.ts'
import { clusterOfKubeconfig, clusterOfPod } from './kube/kubeconfig.ts'
import { Election } from './kube/lease.ts'
import { createKubeMetrics } from './metrics.ts'
import type { ControllerOptions } from './options.ts'
import { FileCertificates } from './tls/file-certificates.ts'
import { ManagedCertificates } from './tls/managed-certificates.ts'
import { clusterLifetimes } from './tls/rotation.ts'
import { kubeObjects } from './tls/kube-objects.ts'
import { SecretStore } from './tls/secret-store.ts'
import { configMapTrust, webhookTrust } from './tls/trust.ts'

const NAME = 'nodeleaf-controller'

/** Events that are still waiting when the controller stops. */
const LAST_EVENTS_MS = 2000

/** @throws ApiError when the credentials are of no use, WebhookError, TlsError */
export async function openKubernetes(
  options: ControllerOptions,
  kubeconfig: string | undefined,
  registry: Registry,
  log: Log,
  signal: AbortSignal,
): Promise<Backend> {
  const { namespace, name } = options
  const cluster = kubeconfig === undefined ? clusterOfPod(process.env) : clusterOfKubeconfig(kubeconfig)
  if (cluster === undefined) throw new Error('this is no Pod of a cluster: give --kubeconfig FILE')
  await using opened = new AsyncDisposableStack()
  const metrics = createKubeMetrics(registry)
  const open = (): Api => {
    const api = new Api({
      cluster,
      userAgent: `${NAME}/${manifest.version}`,
      observe: ({ verb, at, result }) => metrics.requests.inc({ verb, resource: at.type.plural, result }),
    })
    opened.defer(() => api.close())
    return api
  }
  const api = open()
  // Connections are few: thousands of agents that come at once have their tokens reviewed, and the Lease must not wait for that.
  const leaseApi = open()
  const events = new EventRecorder({
    api,
    reportingController: 'nodeleaf.io/controller',
    reportingInstance: name,
    log,
  })
  opened.defer(() => events.close(AbortSignal.timeout(LAST_EVENTS_MS)))
  let election: Election | undefined
  const store = new KubeStore({
    leads: () => election?.state.leads ?? false,
    api,
    events,
    namespace,
    log,
    observe: (event, { type }) => {
      if (event.type === 'failed') metrics.watchFailures.inc({ resource: type.plural, reason: event.reason })
    },
  })
  const certificates = await certificatesOf(options, api, log, signal)
  if (options.webhook !== undefined) {
    const view = new AdmissionView()
    const { address, port } = options.webhook
    const world = () => (store.world === undefined ? undefined : view.look(store.world))
    const host = address === '' ? '::' : address
    opened.use(await Webhook.open({ host, port, certificates, world, metrics: createAdmissionMetrics(registry), log }))
    // https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
    opened.defer(() => sleep(options.webhookDrainMs))
  }
  const authenticator = either(clientCertificate(), tokenReview({ api: tokenApi(api), namespace }))
  let elsewhere: Leadership & { readonly leads: false } = { leads: false }
  const held = opened.move()
  return {
    store,
    certificates,
    authenticator,
    elsewhere: () => elsewhere,
    run: (until) => certificates.run(until),
    async leadership(lead, address, ready, until) {
      let leading: Promise<void> = Promise.resolve()
      const broken = Promise.withResolvers<never>()
      election = new Election({
        api: leaseApi,
        namespace,
        name: NAME,
        identity: name,
        address,
        leaseDurationMs: options.leaseDurationMs,
        renewDeadlineMs: options.renewDeadlineMs,
        retryPeriodMs: options.retryPeriodMs,
        ready,
        log,
        onChange: (state) => {
          // Who led before is nobody to be sent to when this term ends.
          elsewhere = state.leads ? { leads: false } : { ...state }
          // One after the other: what a lost term still does must have ended before the next begins.
          if (state.leads) leading = leading.then(() => lead(state.lost)).catch(broken.reject)
        },
        beforeRelease: () => leading,
      })
      await Promise.race([election.run(until), broken.promise])
      await leading
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

async function certificatesOf(options: ControllerOptions, api: Api, log: Log, signal: AbortSignal) {
  const { namespace, tls } = options
  const objects = kubeObjects(api)
  const publishers = [configMapTrust(objects, namespace), webhookTrust(objects)]
  if (tls !== undefined) return new FileCertificates({ ...tls, publishers, log, now: Date.now })
  const own = [options.advertise?.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''), options.listen.address]
  const addresses = own.filter((each): each is string => each !== undefined && isIP(each) !== 0)
  return ManagedCertificates.create(
    {
      store: new SecretStore(objects, namespace),
      publishers,
      lifetimes: clusterLifetimes,
      // What the API server dials for the webhook, and agents as --controller.
      dns: [NAME, `${NAME}.${namespace}`, `${NAME}.${namespace}.svc`, `${NAME}.${namespace}.svc.cluster.local`],
      addresses,
      log,
      now: Date.now,
    },
    signal,
  )
}

const tokenReviews = { group: 'authentication.k8s.io', version: 'v1', plural: 'tokenreviews', kind: 'TokenReview' }
const pods = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' }

function tokenApi(api: Api): TokenApi {
  return {
    async review(token, audiences, signal) {
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } }
      const answer = await api.create<{ status?: TokenReviewStatus }>({ type: tokenReviews }, body, {
        signal,
        repeatable: true,
      })
      return answer.status ?? {}
    },
    async pod(namespace, name, signal): Promise<PodFacts | undefined> {
      try {
        const pod = await api.get<{ metadata: { uid: string }; spec?: { nodeName?: string } }>(
          { type: pods, namespace, name },
          { signal },
        )
        const nodeName = pod.spec?.nodeName
        return { uid: pod.metadata.uid, ...(nodeName === undefined ? {} : { nodeName }) }
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },
  }
}
