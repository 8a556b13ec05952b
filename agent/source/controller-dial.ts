/** Dialling the controller: addresses from DNS, credentials from files; both anew at every dial. */
import {
  Client,
  compressionAlgorithms,
  credentials,
  Metadata,
  type ChannelOptions,
  type ClientDuplexStream,
} from '@grpc/grpc-js'
import { lookup } from 'node:dns/promises'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity as identityOf, type PeerCertificate } from 'node:tls'
import type { AgentMessage, ControllerMessage } from '../../api/wire/generated/distribution_pb.ts'
import { connect } from '../../api/wire/service.ts'
import { messageOf } from '../../log/log.ts'
import type { ControllerOptions } from '../options.ts'

export interface Target {
  readonly host: string
  readonly port: number
}

/** What keeps a dial from being tried; the message names the flag and what to do. */
export class DialError extends Error {
  readonly code = 'DIAL'
}

export type ControllerCall = ClientDuplexStream<AgentMessage, ControllerMessage>

export interface Dialled {
  readonly call: ControllerCall
  /** Whether TLS is up. */
  readonly connected: () => boolean
  /** Of the certificate that proves the node; milliseconds since 1970. */
  readonly certificateEnds?: number
  readonly close: () => void
}

const LARGEST_MESSAGE_BYTES = 64 << 20
/** A controller that is frozen, or a network that swallows packets, is noticed after 8 seconds. */
const KEEPALIVE_MS = 5000
const KEEPALIVE_ANSWER_MS = 3000

/** All addresses of the target, in the order of the resolver: a headless Service has one for each replica. @throws DialError */
export async function addressesOf({ host, port }: Target): Promise<readonly Target[]> {
  if (isIP(host) !== 0) return [{ host, port }]
  try {
    const found = await lookup(host, { all: true })
    if (found.length > 0) return found.map(({ address }) => ({ host: address, port }))
  } catch (error) {
    throw new DialError(`cannot find the address of ${host}: ${messageOf(error)}`, { cause: error })
  }
  throw new DialError(`${host} has no address`)
}

/** Reads `ADDRESS:PORT` and `[ADDRESS]:PORT`; undefined for anything else. */
export function targetOf(text: string): Target | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

export const targetText = ({ host, port }: Target): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** Begins a stream to an address that `addressesOf` gave. @throws DialError */
export function dial(target: Target, options: ControllerOptions): Dialled {
  const metadata = new Metadata()
  const { proof, name } = options
  if ('tokenFile' in proof) metadata.set('authorization', `Bearer ${token(proof.tokenFile)}`)
  const channel: ChannelOptions = {
    // An address is no name for SNI (RFC 6066, section 3); `tls` holds the certificate against it.
    'grpc.ssl_target_name_override': isIP(name) === 0 ? name : 'nodeleaf-controller',
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_ANSWER_MS,
    'grpc.max_receive_message_length': LARGEST_MESSAGE_BYTES,
    'grpc.enable_retries': 0,
    // Of Detail; what is smaller says that it is not.
    'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
    // Each dial is a connection of its own, with the credentials of this moment.
    'grpc.use_local_subchannel_pool': 1,
  }
  const scheme = target.host.includes(':') ? 'ipv6' : 'ipv4'
  const { secure, ends } = tls(options)
  const client = new Client(`${scheme}:${targetText(target)}`, secure, channel)
  const call = client.makeBidiStreamRequest(
    connect.path,
    connect.requestSerialize,
    connect.responseDeserialize,
    metadata,
  )
  return {
    call,
    // 2 is READY; the enumeration is const and has no values at run time everywhere.
    ...(ends === undefined ? {} : { certificateEnds: ends }),
    connected: () => client.getChannel().getConnectivityState(false) === 2,
    close: () => {
      call.cancel()
      client.close()
    },
  }
}

function tls({ ca, proof, name }: ControllerOptions) {
  const authorities = bytesOf('--controller-ca', ca)
  const [key, certificate] =
    'certFile' in proof ? [bytesOf('--tls-key', proof.keyFile), bytesOf('--tls-cert', proof.certFile)] : [null, null]
  try {
    const checkServerIdentity = (_: string, presented: PeerCertificate) => identityOf(name, presented)
    return {
      secure: credentials.createSsl(authorities, key, certificate, isIP(name) === 0 ? {} : { checkServerIdentity }),
      ends: certificate === null ? undefined : new X509Certificate(certificate).validToDate.getTime(),
    }
  } catch (error) {
    const files = [ca, ...('certFile' in proof ? [proof.certFile, proof.keyFile] : [])].join(', ')
    throw new DialError(`${files}: not certificates and key as PEM that go together (${messageOf(error)})`, {
      cause: error,
    })
  }
}

/** Kubernetes replaces the file long before the token expires. */
function token(path: string): string {
  const text = bytesOf('--token-file', path).toString('utf8').trim()
  if (/^[\x21-\x7e]+$/.test(text)) return text
  throw new DialError(`--token-file ${path} ${text === '' ? 'is empty' : 'holds no token'}`)
}

function bytesOf(flag: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new DialError(`cannot read ${flag} ${path}: ${messageOf(error)}`, { cause: error })
  }
}
