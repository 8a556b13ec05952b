/** Between the comparison of bare connections and its processes. */

/** What a connection goes through: each has those before it within. */
export const BARE_LAYERS = ['tls', 'http2', 'grpc-js'] as const
export type BareLayer = (typeof BARE_LAYERS)[number]

export const BARE_PATH = '/bare.Service/Talk'
export const ANSWER = Buffer.from('welcome')

export interface BareServer {
  readonly port: number
  /** PEM. */
  readonly ca: string
}

export interface BareLook {
  readonly connections: number
}
