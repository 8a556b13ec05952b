/** A NIC as an operator may have configured it: everything that moving it to another namespace would lose. */
import type { LabNode } from './node.ts'

const ADDRESSES = ['10.99.0.1/24', '10.99.0.2/24', 'fd00:99::1/64']

/** Configures eth1 of a node; the function that is returned takes it back (the scenario must call it). */
export async function liveIn(node: LabNode): Promise<() => Promise<void>> {
  const [nic] = await node.show('link', 'show', 'dev', 'eth1')
  await node.ip(
    'link set eth1 mtu 9100 txqueuelen 777',
    ...ADDRESSES.map((address) => `addr add ${address} dev eth1${address.includes(':') ? ' nodad' : ''}`),
    'addr add 10.98.0.1/24 dev eth1 noprefixroute metric 5',
    'addr add 10.97.0.1 peer 10.97.0.2/32 dev eth1 label eth1:ptp',
    'route add default via 192.168.10.1 dev eth1 metric 4000 src 192.168.10.11',
    'route add 10.96.0.0/16 via 192.168.10.1 dev eth1 proto static',
    'route add 10.95.0.0/16 dev eth1 table 95 scope link',
    'route add fd00:96::/48 via fd00:10::1 dev eth1 metric 77',
    'rule add from 10.99.0.0/24 lookup 95 priority 5000',
  )
  await node.shell('echo 2 > /proc/sys/net/ipv4/conf/eth1/rp_filter; echo 1 > /proc/sys/net/ipv4/conf/eth1/arp_ignore')
  return async () => {
    await node.shell(
      'echo 0 > /proc/sys/net/ipv4/conf/eth1/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/eth1/arp_ignore',
    )
    await node.ip(
      'rule del priority 5000',
      'route del default metric 4000',
      'route del 10.96.0.0/16',
      'route del 10.95.0.0/16 table 95',
      'route del fd00:96::/48',
      'addr del 10.97.0.1 peer 10.97.0.2/32 dev eth1',
      // Secondary addresses go with their primary one.
      ...[...ADDRESSES, '10.98.0.1/24'].toReversed().map((address) => `addr del ${address} dev eth1`),
      `link set eth1 mtu ${nic.mtu} txqueuelen ${nic.txqlen}`,
    )
  }
}

/** What `ip` does not show of it: settings of its own below /proc/sys. */
export async function settingsOf(node: LabNode): Promise<string> {
  return node.shell(
    'cd /proc/sys/net; cat ipv4/conf/eth1/rp_filter ipv4/conf/eth1/arp_ignore ipv6/conf/eth1/accept_dad',
  )
}
