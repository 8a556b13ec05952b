import test from 'ava'
import { mkdtemp, rename, rm, writeFile, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { Api } from './api.ts'
import { clusterOfKubeconfig, clusterOfPod } from './kubeconfig.ts'
import { json, leaf, loopbackServer, object, status } from './loopback-server.ts'

async function directory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'kubeconfig-'))
}

function kubeconfig(server: string, user: object, cluster: object = {}): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'it',
    contexts: [{ name: 'it', context: { cluster: 'c', user: 'u', namespace: 'ns' } }],
    clusters: [{ name: 'c', cluster: { server, ...cluster } }],
    users: [{ name: 'u', user }],
  })
}

test('server, certificates and namespace come from the current context; paths are relative to the file', async (t) => {
  const dir = await directory()
  const ca = Buffer.from('CA').toString('base64')
  await writeFile(
    join(dir, 'config'),
    kubeconfig(
      'https://192.0.2.1:6443',
      { 'client-certificate': 'tls/cert.pem', 'client-key': 'tls/key.pem' },
      { 'certificate-authority-data': ca, 'tls-server-name': 'api' },
    ),
  )
  const cluster = clusterOfKubeconfig(join(dir, 'config'))
  t.is(cluster.server.href, 'https://192.0.2.1:6443/')
  t.deepEqual(cluster.ca, { data: Buffer.from('CA') })
  t.deepEqual(cluster.user.cert, { file: join(dir, 'tls/cert.pem') })
  t.is(cluster.namespace, 'ns')
  t.is(cluster.tlsServerName, 'api')
  await rm(dir, { recursive: true })
})

const BAD: readonly (readonly [string, string, RegExp])[] = [
  ['no YAML', '{', /is no YAML/],
  ['no current context', 'clusters: []', /current-context is not set/],
  ['a context that is not there', 'current-context: x\ncontexts: []', /names "x", which is not among contexts/],
  ['a cluster without a server', 'clusters: [{name: c, cluster: {}}]', /clusters\.0\.cluster\.server/],
  ['a server that is no URL', kubeconfig('api:6443', {}), /server "api:6443" is not a URL/],
  ['an auth-provider', kubeconfig('https://api', { 'auth-provider': { name: 'oidc' } }), /use exec instead/],
]
for (const [what, text, message] of BAD) {
  test(`a kubeconfig with ${what} is refused with file and remedy`, async (t) => {
    const dir = await directory()
    const file = join(dir, 'config')
    await writeFile(file, text)
    const error = t.throws(() => clusterOfKubeconfig(file))
    t.regex(error.message, message)
    t.true(error.message.includes(file))
    await rm(dir, { recursive: true })
  })
}

test('a pod finds the API server in its environment, also over IPv6', (t) => {
  const cluster = clusterOfPod({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' })
  t.is(cluster?.server.href, 'https://[fd00::1]/')
  t.is(clusterOfPod({}), undefined)
})

test('a projected token that is renewed is read again', async (t) => {
  const dir = await directory()
  const tokens: (string | undefined)[] = []
  const server = await loopbackServer((received, response) => {
    tokens.push(received.headers.authorization)
    json(response, 200, object('a', 1))
  })
  await writeFile(join(dir, 'token'), 'one\n')
  const api = new Api({
    cluster: { ...server.cluster, user: { token: { file: join(dir, 'token') } } },
    userAgent: 'test',
  })
  await api.get({ type: leaf, name: 'a' })
  await writeFile(join(dir, 'next'), 'two\n')
  await rename(join(dir, 'next'), join(dir, 'token'))
  await api.get({ type: leaf, name: 'a' })
  await rm(join(dir, 'token'))
  await api.get({ type: leaf, name: 'a' })
  t.deepEqual(tokens, ['Bearer one', 'Bearer two', 'Bearer two'])
  api.close()
  await server.close()
  await rm(dir, { recursive: true })
})

test('a command gives the credentials; it is run again when they are refused', async (t) => {
  const dir = await directory()
  await mkdir(join(dir, 'bin'))
  const script = `#!/bin/sh
n=$(cat runs 2>/dev/null || echo 0); n=$((n + 1)); echo $n > runs
case "$KUBERNETES_EXEC_INFO" in *ExecCredential*) ;; *) echo "no info" >&2; exit 1 ;; esac
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$1-$WHO-$n'"}}'
`
  await writeFile(join(dir, 'bin/login'), script, { mode: 0o755 })
  let valid = 'Bearer it-me-1'
  const server = await loopbackServer((received, response) =>
    received.headers.authorization === valid
      ? json(response, 200, object('a', 1))
      : status(response, 401, 'Unauthorized'),
  )
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'bin/login',
    args: ['it'],
    env: [{ name: 'WHO', value: 'me' }],
    interactiveMode: 'Never',
  }
  await writeFile(join(dir, 'config'), kubeconfig(server.cluster.server.href, { exec }))
  const api = new Api({ cluster: clusterOfKubeconfig(join(dir, 'config')), userAgent: 'test' })
  await Promise.all([api.get({ type: leaf, name: 'a' }), api.get({ type: leaf, name: 'a' })])
  valid = 'Bearer it-me-2'
  await api.get({ type: leaf, name: 'a' })
  t.is(server.received.length, 4)
  api.close()
  await server.close()
  await rm(dir, { recursive: true })
})

test('a command that fails is named, with its complaint', async (t) => {
  const exec = {
    apiVersion: 'v1',
    args: ['-c', 'echo please log in >&2; exit 3'],
    env: {},
    directory: '/',
    command: 'sh',
  }
  const server = { server: new URL('http://127.0.0.1:1'), insecure: false }
  const api = new Api({ cluster: { ...server, user: { exec } }, userAgent: 'test' })
  await t.throwsAsync(api.get({ type: leaf, name: 'a' }), {
    message: /command sh of the kubeconfig failed: please log in/,
  })
})
