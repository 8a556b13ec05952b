/**
 * Credentials that another program prints: `users[].user.exec` of a kubeconfig.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
import { execFile } from 'node:child_process'
import * as z from 'zod'
import { ApiError } from './api-error.ts'

export interface ExecPlugin {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** What KUBERNETES_EXEC_INFO tells of the cluster; undefined unless `provideClusterInfo`. */
  readonly cluster?: object | undefined
  /** Where the command runs, so that relative paths mean what they mean to kubectl. */
  readonly directory: string
}

export interface ExecCredential {
  readonly token?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Milliseconds since 1970; undefined: valid until refused. */
  readonly expiresAtMs?: number | undefined
}

const printed = z.object({
  status: z.object({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.string().optional(),
  }),
})

const TIME_LIMIT_MS = 60_000

/** Runs the command. @throws ApiError `Credentials` with what it wrote to stderr; never with what it printed. */
export async function runExecPlugin(plugin: ExecPlugin): Promise<ExecCredential> {
  const info = {
    apiVersion: plugin.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(plugin.cluster === undefined ? {} : { cluster: plugin.cluster }) },
  }
  const output = await new Promise<string>((resolve, reject) => {
    const options = {
      cwd: plugin.directory,
      env: { ...process.env, ...plugin.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
      timeout: TIME_LIMIT_MS,
      maxBuffer: 1 << 20,
    }
    const child = execFile(plugin.command, [...plugin.args], options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      const why = error.code === 'ENOENT' ? 'not found; install it, or put it on PATH' : stderr.trim().slice(0, 500)
      reject(
        new ApiError(
          `credentials: the command ${plugin.command} of the kubeconfig failed: ${why === '' ? error.message : why}`,
          { reason: 'Credentials' },
        ),
      )
    })
    child.stdin?.end()
  })
  let content: unknown
  try {
    content = JSON.parse(output)
  } catch {
    content = undefined
  }
  const credential = printed.safeParse(content)
  if (!credential.success) {
    throw new ApiError(`credentials: the command ${plugin.command} of the kubeconfig printed no ExecCredential`, {
      reason: 'Credentials',
    })
  }
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = credential.data.status
  const expiresAtMs = expirationTimestamp === undefined ? undefined : Date.parse(expirationTimestamp)
  return { token, cert: clientCertificateData, key: clientKeyData, expiresAtMs }
}
