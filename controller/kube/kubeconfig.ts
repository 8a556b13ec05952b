/**
 * Where the API server is and who we are: from a kubeconfig, or from what Kubernetes gives to every pod.
 * https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isIPv6 } from 'node:net'
import { parse } from 'yaml'
import * as z from 'zod'
import { ApiError } from './api-error.ts'
import type { ExecPlugin } from './exec-credential.ts'

/** Bytes that are in the configuration, or a file that may change. */
export type Material = { readonly data: Buffer } | { readonly file: string }

export interface Cluster {
  readonly server: URL
  readonly ca?: Material | undefined
  /** The name that the server's certificate must have; default: the host of `server`. */
  readonly tlsServerName?: string | undefined
  readonly insecure: boolean
  readonly user: User
  /** Of the kubeconfig's context, or the pod's own. */
  readonly namespace?: string | undefined
}

export interface User {
  readonly token?: Material | undefined
  readonly cert?: Material | undefined
  readonly key?: Material | undefined
  readonly basic?: { readonly username: string; readonly password: string } | undefined
  readonly exec?: ExecPlugin | undefined
  readonly impersonate?: string | undefined
}

const clusterSchema = z.object({
  server: z.string(),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'tls-server-name': z.string().optional(),
  'proxy-url': z.string().optional(),
})
const execSchema = z.object({
  apiVersion: z.string(),
  command: z.string(),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  provideClusterInfo: z.boolean().optional(),
})
const userSchema = z.object({
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.string().optional(),
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  as: z.string().optional(),
  exec: execSchema.optional(),
  'auth-provider': z.object({ name: z.string() }).optional(),
})
const contextSchema = z.object({ cluster: z.string(), user: z.string().optional(), namespace: z.string().optional() })
const kubeconfigSchema = z.object({
  'current-context': z.string().optional(),
  clusters: z.array(z.object({ name: z.string(), cluster: clusterSchema })).nullish(),
  users: z.array(z.object({ name: z.string(), user: userSchema.nullish() })).nullish(),
  contexts: z.array(z.object({ name: z.string(), context: contextSchema })).nullish(),
})

/** The current context of a kubeconfig file. @throws ApiError `Credentials` that names file, field and remedy. */
export function clusterOfKubeconfig(file: string): Cluster {
  const refuse = (problem: string, cause?: unknown): ApiError =>
    new ApiError(`kubeconfig ${file}: ${problem}`, { reason: 'Credentials', cause })
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw refuse('cannot be read', cause)
  }
  let content: unknown
  try {
    content = parse(text)
  } catch {
    // Without the parser's words: they quote the file.
    throw refuse('is no YAML; check it with: kubectl config view --kubeconfig FILE')
  }
  const checked = kubeconfigSchema.safeParse(content)
  if (!checked.success) {
    const { path, message } = checked.error.issues[0] ?? { path: [], message: 'is no kubeconfig' }
    throw refuse(`${path.join('.')}: ${message}`)
  }
  const config = checked.data
  const current = config['current-context']
  if (current === undefined || current === '') throw refuse('current-context is not set; set it')
  const context = config.contexts?.find(({ name }) => name === current)?.context
  if (context === undefined) throw refuse(`current-context names "${current}", which is not among contexts`)
  const cluster = config.clusters?.find(({ name }) => name === context.cluster)?.cluster
  if (cluster === undefined) throw refuse(`context "${current}" names cluster "${context.cluster}", which is not there`)
  const user = config.users?.find(({ name }) => name === context.user)?.user ?? {}
  if (cluster['proxy-url'] !== undefined)
    throw refuse(`clusters: ${context.cluster}: proxy-url is not supported; remove it`)
  if (user['auth-provider'] !== undefined) {
    throw refuse(`users: ${context.user}: auth-provider was removed from Kubernetes in 1.26; use exec instead`)
  }
  const directory = dirname(resolve(file))
  const material = (data: string | undefined, path: string | undefined): Material | undefined => {
    if (data !== undefined && data !== '') return { data: Buffer.from(data, 'base64') }
    return path === undefined || path === '' ? undefined : { file: resolve(directory, path) }
  }
  const ca = material(cluster['certificate-authority-data'], cluster['certificate-authority'])
  const tokenFile = material(undefined, user.tokenFile)
  const token = user.token === undefined || user.token === '' ? undefined : { data: Buffer.from(user.token) }
  return {
    server: serverOf(cluster.server, refuse),
    ca,
    tlsServerName: cluster['tls-server-name'],
    insecure: cluster['insecure-skip-tls-verify'] ?? false,
    namespace: context.namespace,
    user: {
      token: tokenFile ?? token,
      cert: material(user['client-certificate-data'], user['client-certificate']),
      key: material(user['client-key-data'], user['client-key']),
      basic: user.username === undefined ? undefined : { username: user.username, password: user.password ?? '' },
      impersonate: user.as,
      exec: user.exec === undefined ? undefined : plugin(user.exec, cluster, directory),
    },
  }
}

function plugin(
  exec: z.infer<typeof execSchema>,
  cluster: z.infer<typeof clusterSchema>,
  directory: string,
): ExecPlugin {
  const { command } = exec
  return {
    apiVersion: exec.apiVersion,
    // As kubectl does: a path is relative to the kubeconfig, a bare name is looked up in PATH.
    command: command.includes('/') ? resolve(directory, command) : command,
    args: exec.args ?? [],
    env: Object.fromEntries((exec.env ?? []).map(({ name, value }) => [name, value])),
    cluster:
      exec.provideClusterInfo === true
        ? {
            server: cluster.server,
            'certificate-authority-data': cluster['certificate-authority-data'],
            'insecure-skip-tls-verify': cluster['insecure-skip-tls-verify'],
            'tls-server-name': cluster['tls-server-name'],
          }
        : undefined,
    directory,
  }
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * What a pod knows of its cluster; undefined outside one.
 * https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 */
export function clusterOfPod(
  environment: Readonly<Record<string, string | undefined>>,
  directory = SERVICE_ACCOUNT,
): Cluster | undefined {
  const host = environment['KUBERNETES_SERVICE_HOST']
  const port = environment['KUBERNETES_SERVICE_PORT']
  if (host === undefined || host === '' || port === undefined || port === '') return undefined
  let namespace: string | undefined
  try {
    namespace = readFileSync(`${directory}/namespace`, 'utf8').trim()
  } catch {
    namespace = undefined
  }
  return {
    server: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    ca: { file: `${directory}/ca.crt` },
    insecure: false,
    user: { token: { file: `${directory}/token` } },
    namespace,
  }
}

function serverOf(text: string, refuse: (problem: string) => ApiError): URL {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw refuse(`server "${text}" is not a URL that begins with https://`)
  }
  return url
}
