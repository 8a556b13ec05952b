/**
 * Telling everyone whom to trust: agents by the ConfigMap `nodeleaf-ca` (or a file), the API server by the `caBundle` of
 * the webhooks. Each looks first and writes only what differs, so it may be asked again and again.
 */
import { chmodSync, readFileSync } from 'node:fs'
import * as z from 'zod'
import { writeDurably } from '../../files/durable.ts'
import type { JsonPatchOperation, KubeObjects } from './kube-objects.ts'

/** Makes `trusted` (PEM, one or several CAs) known. @throws when it is not sure that it is. */
export type TrustPublisher = (trusted: string, signal: AbortSignal) => Promise<void>

const configMap = z.object({ data: z.record(z.string(), z.string()).nullish() })

/** `ca.crt` in the ConfigMap `nodeleaf-ca`, which agents mount. */
export function configMapTrust(objects: KubeObjects, namespace: string): TrustPublisher {
  const path = `/api/v1/namespaces/${namespace}/configmaps/nodeleaf-ca`
  return async (trusted, signal) => {
    const found = configMap.safeParse(await objects.get(path, signal))
    if (found.data?.data?.['ca.crt'] === trusted) return
    const labels = { 'app.kubernetes.io/name': 'nodeleaf', 'app.kubernetes.io/managed-by': 'nodeleaf-controller' }
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'nodeleaf-ca', namespace, labels },
      data: { 'ca.crt': trusted },
    }
    await objects.apply(path, object, signal)
  }
}

/**
 * `caBundle` of every webhook in the ValidatingWebhookConfiguration. Where there is no such configuration there is
 * nothing to do: whoever installs one finds it filled in at the next look.
 */
export function webhookTrust(objects: KubeObjects, name = 'nodeleaf'): TrustPublisher {
  const path = `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${name}`
  return async (trusted, signal) => {
    const patch = caBundlePatch(await objects.get(path, signal), trusted)
    // When somebody else was faster, the next look shows what is still to do.
    if (patch.length > 0 && !(await objects.patch(path, patch, signal)))
      throw new Error(`the ValidatingWebhookConfiguration ${name} changed while its caBundle was being set`)
  }
}

const webhookConfiguration = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).nullish() }),
  webhooks: z
    .array(z.object({ name: z.string(), clientConfig: z.object({ caBundle: z.string().nullish() }) }))
    .nullish(),
})

/**
 * What sets the caBundle of each webhook that has another one; nothing when none has, or when cert-manager's CA injector
 * does it (its annotation `cert-manager.io/inject-ca-from`). Guarded by the webhook's name, since a patch counts places.
 */
export function caBundlePatch(configuration: unknown, trusted: string): readonly JsonPatchOperation[] {
  const { data } = webhookConfiguration.safeParse(configuration)
  const annotations = Object.keys(data?.metadata.annotations ?? {})
  if (annotations.some((each) => each.startsWith('cert-manager.io/inject-'))) return []
  const caBundle = Buffer.from(trusted).toString('base64')
  return (data?.webhooks ?? []).flatMap(({ name, clientConfig }, i): JsonPatchOperation[] =>
    clientConfig.caBundle === caBundle
      ? []
      : [
          { op: 'test', path: `/webhooks/${i}/name`, value: name },
          { op: 'add', path: `/webhooks/${i}/clientConfig/caBundle`, value: caBundle },
        ],
  )
}

/** A file for people to carry to their machines, readable by everyone. */
export function fileTrust(path: string): TrustPublisher {
  return async (trusted) => {
    if (contentOf(path) === trusted) return
    writeDurably(path, trusted)
    chmodSync(path, 0o644)
  }
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
