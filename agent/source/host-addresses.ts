/** Addresses of the host's interfaces. */
import { networkInterfaces } from 'node:os'

/** Addresses with prefix length of an interface that is up, IPv4 first, link-local ones left out. */
export function hostAddresses(name: string): readonly string[] {
  const addresses = (networkInterfaces()[name] ?? []).filter(({ address }) => !/^(fe80:|169\.254\.)/i.test(address))
  return addresses
    .toSorted((a, b) => Number(a.family === 'IPv6') - Number(b.family === 'IPv6'))
    .flatMap(({ cidr }) => (cidr === null ? [] : [cidr]))
}
