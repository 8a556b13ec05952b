/**
 * Telling everyone whom to trust: agents by the ConfigMap `nodeleaf-ca` (or a file), the API server by the `caBundle` of
 * the webhooks. Each looks first and writes only what differs, so it may be asked again and again.
 */
import { chmodSync, readFileSync } from 'node:fs'
import * as z from 'zod'
import { writeDurably } from '../../files/durable.ts'
import type { KubeObject } from '../kube/object.ts'
import type { KubeObjects } from './kube-objects.ts'

/** Makes `trusted` (PEM, one or several CAs) known. @throws when it is not sure that it is. */
export type TrustPublisher = (trusted: string, signal: AbortSignal) => Promise<void>

const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }
const WEBHOOKS = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
}

const configMap = z.object({ data: z.record(z.string(), z.string()).nullish() })

/** `ca.crt` in the ConfigMap `nodeleaf-ca`, which agents mount. */
export function configMapTrust(objects: KubeObjects, namespace: string): TrustPublisher {
  const at = { type: CONFIG_MAPS, namespace, name: 'nodeleaf-ca' }
  return async (trusted, signal) => {
    const found = configMap.safeParse(await objects.get(at, signal))
    if (found.data?.data?.['ca.crt'] === trusted) return
    const labels = { 'app.kubernetes.io/name': 'nodeleaf', 'app.kubernetes.io/managed-by': 'nodeleaf-controller' }
    await objects.apply(at, { metadata: { labels }, data: { 'ca.crt': trusted } }, signal)
  }
}

/**
 * `caBundle` of every webhook in the ValidatingWebhookConfiguration. Where there is no such configuration there is
 * nothing to do: whoever installs one finds it filled in at the next look.
 */
export function webhookTrust(objects: KubeObjects, name = 'nodeleaf'): TrustPublisher {
  const at = { type: WEBHOOKS, name }
  return async (trusted, signal) => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await objects.get(at, signal)
      const wanted = found && withCaBundle(found, trusted)
      if (!wanted || (await objects.replace(at, wanted, signal))) return
    }
    throw new Error(`the ValidatingWebhookConfiguration ${name} was changed by others while its caBundle was being set`)
  }
}

/** Each replica may be at it at the same moment, and another one after it finds nothing to do. */
const ATTEMPTS = 5

const webhooks = z.array(z.looseObject({ clientConfig: z.looseObject({ caBundle: z.string().nullish() }) }))

/**
 * The configuration with this caBundle in each webhook. Undefined when it has it already, or when cert-manager's CA
 * injector sees to it (annotation `cert-manager.io/inject-...`).
 */
export function withCaBundle(
  configuration: KubeObject & { readonly webhooks?: unknown },
  trusted: string,
): KubeObject | undefined {
  const annotations = Object.keys(configuration.metadata.annotations ?? {})
  if (annotations.some((each) => each.startsWith('cert-manager.io/inject-'))) return undefined
  const caBundle = Buffer.from(trusted).toString('base64')
  const { data: found = [] } = webhooks.safeParse(configuration.webhooks)
  if (found.every((each) => each.clientConfig.caBundle === caBundle)) return undefined
  return {
    ...configuration,
    webhooks: found.map((each) => ({ ...each, clientConfig: { ...each.clientConfig, caBundle } })),
  } as KubeObject
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
