/** An API server in memory: real HTTP and TLS outside, a map inside. See README.md for what it is faithful in. */
import { readdirSync, readFileSync } from 'node:fs'
import { createServer as createPlain, type RequestListener, type Server } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { isIPv6, type AddressInfo, type Socket } from 'node:net'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { newSigningKey, Tokens } from './access/tokens.ts'
import { admin, type User } from './access/user.ts'
import { Webhooks, type Services } from './admission/webhook.ts'
import { serverCertificate } from './certificate.ts'
import { Faults } from './faults/faults.ts'
import { Front } from './faults/front.ts'
import { Watches } from './faults/watches.ts'
import { Audit } from './http/audit.ts'
import { handle } from './http/handler.ts'
import { requestInfo } from './http/route.ts'
import { kubeconfigText } from './kubeconfig.ts'
import type { KubeObject } from './object.ts'
import { Registry } from './resources/registry.ts'
import { collectGarbage } from './store/garbage.ts'
import { openJournal, type Identity } from './store/journal.ts'
import { Store } from './store/store.ts'
import type { Context } from './verbs/context.ts'
import { create } from './verbs/create.ts'

export interface ApiServerOptions {
  /** @default '127.0.0.1' */
  readonly address?: string
  /** @default 0: any that is free */
  readonly port?: number
  /** Plain HTTP in place of HTTPS. @default false */
  readonly plain?: boolean
  /** Names and addresses in the certificate beside the address and loopback. */
  readonly names?: readonly string[]
  /** A directory of CRDs that are there from the start. */
  readonly crds?: string
  /** A file in which objects, keys and certificates outlive the server. */
  readonly state?: string
  /** Users by token; the token of an administrator is made anyway. */
  readonly users?: Readonly<Record<string, User>>
  /** Whether Roles in the store decide who may do what. @default false: everybody who is somebody may everything */
  readonly rbac?: boolean
  /** Whether owner references are followed, as kube-controller-manager does. @default false */
  readonly garbageCollection?: boolean
  /** How often a watch that wants bookmarks gets one. @default 60000 */
  readonly bookmarkMs?: number
  /** Changes kept for watches that begin in the past. @default 20000 */
  readonly history?: number
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

export interface ApiServer extends AsyncDisposable {
  /** `https://127.0.0.1:6443` */
  readonly url: string
  /** PEM of its CA; undefined with plain HTTP. */
  readonly ca: string | undefined
  readonly adminToken: string
  /** A kubeconfig for a token; without one, the administrator's. */
  kubeconfig(token?: string): string
  readonly store: Store
  readonly audit: Audit
  readonly faults: Faults
  readonly watches: Watches
  readonly front: Front
  /** Issues ServiceAccount tokens past the rules of TokenRequest: expired ones, of other audiences. */
  readonly tokens: Tokens
  /** Where Services that webhooks name are: `namespace/name:port`. */
  readonly services: Services
  close(): Promise<void>
}

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const { address = '127.0.0.1', plain = false, now = Date.now } = options
  const store = new Store(options.history === undefined ? {} : { history: options.history })
  const make = (): Promise<Identity> => newIdentity([...(options.names ?? []), address])
  const journal = options.state === undefined ? undefined : await openJournal(options.state, store, make)
  const identity = journal?.identity ?? (await make())
  const { ca = '', cert = '', key = '', signingKey = '', adminToken = '' } = identity
  const services: Services = new Map()
  const tokens = new Tokens(store, signingKey, now)
  const context: Context = {
    store,
    registry: new Registry(store),
    webhooks: new Webhooks(store, services),
    tokens,
    now,
  }
  for (const object of [...NAMESPACES.map(namespace), ...(options.crds === undefined ? [] : crdsIn(options.crds))])
    await createOnce(context, object)
  const stopGarbage = options.garbageCollection === true ? collectGarbage(store) : undefined

  const [audit, faults, watches] = [new Audit(), new Faults(), new Watches()]
  const users = new Map([...Object.entries(options.users ?? {}), [adminToken, admin] as const])
  const { rbac = false, bookmarkMs = 60_000 } = options
  const reset = ({ remotePort }: Socket): void => front.resetOne(remotePort)
  const settings = { context, audit, faults, watches, users, rbac, bookmarkMs, reset }
  const listener: RequestListener = (request, response) => void handle(settings, request, response)
  const inner: Server = plain ? createPlain(listener) : createSecure({ cert, key }, listener)
  inner.keepAliveTimeout = 120_000
  inner.listen(0, '127.0.0.1')
  await once(inner, 'listening')
  const front = new Front((inner.address() as AddressInfo).port, address, options.port ?? 0)
  await front.up()

  const reachable = ['0.0.0.0', '::'].includes(address) ? '127.0.0.1' : address
  const url = `${plain ? 'http' : 'https'}://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${front.port}`
  const close = async (): Promise<void> => {
    stopGarbage?.()
    await front.down()
    inner.closeAllConnections()
    await inner[Symbol.asyncDispose]()
    journal?.close()
  }
  return {
    url,
    ca: plain ? undefined : ca,
    adminToken,
    kubeconfig: (token = adminToken) => kubeconfigText({ server: url, token, ...(plain ? {} : { ca }) }),
    store,
    audit,
    faults,
    watches,
    front,
    tokens,
    services,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function newIdentity(names: readonly string[]): Promise<Identity> {
  const certificate = await serverCertificate(names.filter((each) => each !== '0.0.0.0' && each !== '::'))
  return { ...certificate, signingKey: newSigningKey(), adminToken: randomBytes(16).toString('hex') }
}

const namespace = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

function crdsIn(directory: string): readonly KubeObject[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .flatMap((file) =>
      parseAllDocuments(readFileSync(join(directory, file), 'utf8')).map((each) => each.toJS() as KubeObject),
    )
    .filter((each) => (each as KubeObject | null)?.kind === 'CustomResourceDefinition')
}

/** What is there already, from a state file, stays. */
async function createOnce(context: Context, object: KubeObject): Promise<void> {
  const resource = context.registry.ofKind(object.apiVersion, object.kind)
  if (!resource) throw new Error(`${object.kind} ${object.metadata.name}: ${object.apiVersion} is not served`)
  const { group, version, plural } = resource
  const info = requestInfo('POST', `/${group === '' ? 'api' : `apis/${group}`}/${version}/${plural}`)
  const known = context.store.list(group === '' ? plural : `${plural}.${group}`)
  if (known.some(({ metadata }) => metadata.name === object.metadata.name)) return
  await create(context, { info, resource, user: admin, userAgent: 'kube-apiserver', warnings: [] }, object)
}
