/** Without Kubernetes: files, certificates of our own in the state directory, mutual TLS, and nobody else who could lead. */
import { mkdirSync, realpathSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { isIP } from 'node:net'
import { lock } from '../files/lock.ts'
import type { Log } from '../log/log.ts'
import type { Backend } from './backend.ts'
import { clientCertificate } from './distribution/client-certificate.ts'
import { DirectoryStore } from './fabric/directory-store.ts'
import type { ControllerOptions } from './options.ts'
import { FileCertificates } from './tls/file-certificates.ts'
import { FileStore } from './tls/file-store.ts'
import { ManagedCertificates } from './tls/managed-certificates.ts'
import { machineLifetimes } from './tls/rotation.ts'
import { fileTrust } from './tls/trust.ts'

/** @throws LockError, TlsError, or what the file system says, when it cannot begin */
export async function openDirectory(
  options: ControllerOptions,
  source: { readonly configDir: string; readonly stateDir: string },
  log: Log,
  signal: AbortSignal,
): Promise<Backend> {
  const { configDir, stateDir } = source
  await using opened = new AsyncDisposableStack()
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  opened.use(await lock([`nodeleaf-controller/state${realpathSync(stateDir)}`], 'controller'))
  const store = new DirectoryStore({ configDir, stateDir, log })
  const publishers = [fileTrust(join(stateDir, 'ca.crt'))]
  const certificates = options.tls
    ? new FileCertificates({ ...options.tls, publishers, log, now: Date.now })
    : await ManagedCertificates.create(
        {
          store: new FileStore(stateDir),
          publishers,
          lifetimes: machineLifetimes,
          ...reachedBy(options),
          log,
          now: Date.now,
        },
        signal,
      )
  const held = opened.move()
  return {
    store,
    certificates,
    authenticator: clientCertificate(),
    elsewhere: () => ({ leads: false }),
    run: (until) => certificates.run(until),
    async leadership(lead, _address, ready, until) {
      await ready
      log.info('leading', { stateDir })
      await lead(until)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Whatever a person may have given an agent as --controller: names and addresses of this machine. */
function reachedBy({ name, advertise, listen }: ControllerOptions) {
  const host = advertise?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const own = Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address))
  const all = [...own, ...[host, listen.address].filter((each) => each !== undefined && each !== ''), name]
  const addresses = all.filter((each): each is string => each !== undefined && isIP(each) !== 0)
  const dns = all.filter((each): each is string => each !== undefined && isIP(each) === 0 && DNS_NAME.test(each))
  return { dns: [...new Set(['nodeleaf-controller', 'localhost', ...dns])], addresses: [...new Set(addresses)] }
}

const DNS_NAME = /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$/
