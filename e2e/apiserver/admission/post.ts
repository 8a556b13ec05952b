/** One POST of JSON to a webhook, with its own CA and a bound on its time. */
import { request as plain } from 'node:http'
import { request as secure } from 'node:https'

export interface Endpoint {
  /** What is called; its host is what the certificate must name. */
  readonly url: string
  /** PEM; without it, the system's. */
  readonly ca?: string
  /** Where it really is. */
  readonly connect?: { readonly host: string; readonly port: number }
}

/** The JSON that came back. @throws Error as Go's net/http words it. */
export async function post({ url, ca, connect }: Endpoint, body: string, timeoutMs: number): Promise<unknown> {
  const { protocol, hostname, port, pathname, search } = new URL(url)
  const request = protocol === 'http:' ? plain : secure
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const fail = (cause: string): void => reject(new Error(`Post "${url}": ${cause}`))
  const signal = AbortSignal.timeout(timeoutMs)
  const sent = request(
    {
      method: 'POST',
      host: connect?.host ?? hostname.replace(/^\[|\]$/g, ''),
      port: connect?.port ?? (port === '' ? 443 : Number(port)),
      path: `${pathname}${search}`,
      headers: { 'content-type': 'application/json', accept: 'application/json', host: hostname },
      signal,
      agent: false,
      ...(protocol === 'https:'
        ? { servername: /^[\d.:[\]]+$/.test(hostname) ? '' : hostname, ...(ca === undefined ? {} : { ca }) }
        : {}),
    },
    (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(text)
          : fail(`the server responded with status ${response.statusCode}: ${text}`),
      )
      response.on('error', (error) => fail(signal.aborted ? 'context deadline exceeded' : wording(error)))
    },
  )
  sent.on('error', (error) => fail(signal.aborted ? 'context deadline exceeded' : wording(error)))
  sent.end(body)
  return JSON.parse(await promise) as unknown
}

/** As Go's net package says it. */
function wording(error: NodeJS.ErrnoException & { readonly address?: string; readonly port?: number }): string {
  if (error.code !== 'ECONNREFUSED') return error.message
  return `dial tcp ${error.address ?? ''}:${error.port ?? ''}: connect: connection refused`
}
