/** A kubeconfig with a bearer token. JSON is YAML. */
export interface KubeconfigOptions {
  readonly server: string
  /** PEM; absent for plain HTTP. */
  readonly ca?: string
  readonly token: string
  readonly namespace?: string
}

export function kubeconfigText({ server, ca, token, namespace = 'default' }: KubeconfigOptions): string {
  const authority = ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'e2e', cluster: { server, ...authority } }],
    users: [{ name: 'e2e', user: { token } }],
    contexts: [{ name: 'e2e', context: { cluster: 'e2e', user: 'e2e', namespace } }],
    'current-context': 'e2e',
  }
  return `${JSON.stringify(config, undefined, 2)}\n`
}
