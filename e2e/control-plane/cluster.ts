/** An API server for a test: the real one where there is one, else the one in memory; with nodeleaf's CRDs in it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { kubeconfigText } from '../apiserver/kubeconfig.ts'
import { startApiServer, type ApiServer, type ApiServerOptions } from '../apiserver/server.ts'
import { Client, type KubeObject } from './client.ts'
import { assets, startRealServer } from './real-server.ts'

export interface Cluster extends AsyncDisposable {
  /** Which one it is. */
  readonly name: 'kube-apiserver' | 'in-memory API server'
  readonly url: string
  readonly ca: string | undefined
  readonly adminToken: string
  /** As the administrator. */
  readonly client: Client
  /** The one in memory, for its faults and its list of requests. */
  readonly memory: ApiServer | undefined
  kubeconfig(token?: string): string
}

/** What a Pod of the agents or of the controller would be given. */
export interface TokenOptions {
  readonly namespace?: string
  readonly audiences?: readonly string[]
  readonly expirationSeconds?: number
  /** Binds it to a Pod that runs there. */
  readonly node?: string
}

export const crds = join(import.meta.dirname, '../../deploy/crds')

/** Options are for the one in memory; RBAC is always on in the real one. */
export async function startCluster(
  options: Omit<ApiServerOptions, 'crds'> & { readonly inMemory?: boolean } = {},
): Promise<Cluster> {
  const directory = options.inMemory === true ? undefined : assets()
  const memory = directory === undefined ? await startApiServer({ rbac: true, ...options }) : undefined
  const server = memory ?? (await startRealServer(directory ?? ''))
  const { url, ca, adminToken } = server
  const client = new Client({ url, ca, token: adminToken })
  const cluster: Cluster = {
    name: memory ? 'in-memory API server' : 'kube-apiserver',
    url,
    ca,
    adminToken,
    client,
    memory,
    kubeconfig: (token = adminToken) => kubeconfigText({ server: url, token, ...(ca === undefined ? {} : { ca }) }),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      await server.close()
    },
  }
  try {
    await installCrds(client)
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
  return cluster
}

async function installCrds(client: Client): Promise<void> {
  for (const file of readdirSync(crds)) await client.apply(readFileSync(join(crds, file), 'utf8'))
  for (const file of readdirSync(crds)) {
    const plural = /_(\w+)\.yaml$/.exec(file)?.[1] ?? ''
    await eventually(
      `${plural} are served`,
      async () => (await client.call('GET', `/apis/nodeleaf.io/v1alpha1/${plural}`)).status === 200,
    )
  }
}

/** Waits until `look` gives something that is neither false nor undefined, and gives that. @throws after the bound */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  { timeoutMs = 60_000 }: { readonly timeoutMs?: number } = {},
): Promise<Exclude<T, false | undefined>> {
  const deadline = Date.now() + timeoutMs
  for (let last: unknown; ; await sleep(25)) {
    try {
      const seen = await look()
      if (seen !== false && seen !== undefined) return seen as Exclude<T, false | undefined>
      last = seen
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline)
      throw new Error(`not within ${timeoutMs} ms: ${what}${last instanceof Error ? ` (${last.message})` : ''}`, {
        cause: last,
      })
  }
}

/** A Node, and what it needs to be one for nodeleaf. */
export async function addNode(
  client: Client,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<KubeObject> {
  const metadata = { name, labels: { 'kubernetes.io/hostname': name, ...labels } }
  return client.applyOne({ apiVersion: 'v1', kind: 'Node', metadata }, 'fieldManager=test&force=true')
}

/** A token for a ServiceAccount, which is made when there is none, by TokenRequest. */
export async function tokenFor(client: Client, account: string, options: TokenOptions = {}): Promise<string> {
  const { namespace = 'nodeleaf-system', audiences, expirationSeconds = 3600, node } = options
  const v1 = (kind: string, metadata: KubeObject['metadata'], rest: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata,
    ...rest,
  })
  await client.apply(
    [v1('Namespace', { name: namespace }), v1('ServiceAccount', { name: account, namespace })],
    'fieldManager=test',
  )
  const pod = `${account}-${node ?? ''}`
  if (node !== undefined)
    await client.apply(
      v1(
        'Pod',
        { name: pod, namespace },
        { spec: { serviceAccountName: account, nodeName: node, containers: [{ name: 'main', image: 'none' }] } },
      ),
      'fieldManager=test',
    )
  const boundObjectRef = node === undefined ? {} : { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: pod } }
  const answer = await client.ask('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { ...(audiences ? { audiences } : {}), expirationSeconds, ...boundObjectRef },
    },
  })
  return (answer['status'] as { token: string }).token
}
