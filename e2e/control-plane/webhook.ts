/** A validating webhook of the test's own, over TLS: it answers what the test tells it to, and keeps what it was asked. */
import { createServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serverCertificate } from '../apiserver/certificate.ts'

interface ReviewRequest {
  readonly uid: string
  readonly operation: string
  readonly name: string
  readonly subResource?: string
  readonly userInfo: { readonly username: string }
  readonly object: { readonly spec?: unknown; readonly metadata: { readonly labels?: Record<string, string> } } | null
  readonly oldObject: unknown
}

type Verdict =
  { readonly allowed: boolean; readonly message?: string; readonly warnings?: readonly string[] } | 'silent'

export interface Webhook extends AsyncDisposable {
  readonly url: string
  /** As ValidatingWebhookConfigurations want it. */
  readonly caBundle: string
  readonly requests: ReviewRequest[]
}

export async function startWebhook(decide: (request: ReviewRequest) => Verdict): Promise<Webhook> {
  const { ca, cert, key } = await serverCertificate([])
  const requests: ReviewRequest[] = []
  const server = createServer({ cert, key }, (incoming, outgoing) => {
    let text = ''
    incoming.on('data', (chunk: Buffer) => (text += chunk.toString()))
    incoming.on('end', () => {
      const { request } = JSON.parse(text) as { request: ReviewRequest }
      requests.push(request)
      const verdict = decide(request)
      if (verdict === 'silent') return
      const { allowed, message, warnings = [] } = verdict
      const status = message === undefined ? {} : { status: { message, code: 403 } }
      const response = { uid: request.uid, allowed, warnings, ...status }
      outgoing.writeHead(200, { 'content-type': 'application/json' })
      outgoing.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/validate`,
    caBundle: Buffer.from(ca).toString('base64'),
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await server[Symbol.asyncDispose]()
    },
  }
}
