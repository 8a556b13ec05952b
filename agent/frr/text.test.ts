import test from 'ava'
import { format, parse, redacted } from './text.ts'
import { ours } from './owned.ts'

const running = `
frr version 10.3
frr defaults traditional
!
hostname node1
log syslog informational
service integrated-vtysh-config
!
ip route 10.0.0.0/8 blackhole
ip prefix-list mine seq 5 permit any
ip prefix-list nodeleaf-red-from-ipv4 seq 5 deny 0.0.0.0/0
!
vrf red
 ip route 10.1.0.0/16 10.0.0.1
 vni 100
exit-vrf
!
vrf blue
exit-vrf
!
router bgp 64514
 no bgp default ipv4-unicast
 !
 address-family l2vpn evpn
  advertise-all-vni
  vni 110
   rd 1.1.1.1:110
  exit-vni
 exit-address-family
!
exit
!
bfd
 profile mine
  detect-multiplier 9
 exit
 !
exit
!
end
`

test('what show running-config prints is read with its blocks', (t) => {
  const tree = parse(running)
  t.deepEqual(
    tree.body.map(({ line }) => line).filter((line) => /^(vrf|router|bfd|ip)/.test(line)),
    [
      'ip route 10.0.0.0/8 blackhole',
      'ip prefix-list mine seq 5 permit any',
      'ip prefix-list nodeleaf-red-from-ipv4 seq 5 deny 0.0.0.0/0',
      'vrf red',
      'vrf blue',
      'router bgp 64514',
      'bfd',
    ],
  )
  const evpn = tree.body.find(({ line }) => line === 'router bgp 64514')?.body[1]
  t.deepEqual(evpn?.body[1], { line: 'vni 110', body: [{ line: 'rd 1.1.1.1:110', body: [] }] })
})

test('in an external FRR only what is named so, BGP and VNIs are ours', (t) => {
  t.is(
    format(ours(parse(running), 'external')),
    `ip prefix-list nodeleaf-red-from-ipv4 seq 5 deny 0.0.0.0/0
!
vrf red
 vni 100
exit-vrf
!
router bgp 64514
 no bgp default ipv4-unicast
 !
 address-family l2vpn evpn
  advertise-all-vni
  vni 110
   rd 1.1.1.1:110
  exit-vni
 exit-address-family
exit
!
`,
  )
})

test('in a managed FRR foreign lists and profiles are ours to remove', (t) => {
  const lines = ours(parse(running), 'managed').body.map(({ line }) => line)
  t.true(lines.includes('ip prefix-list mine seq 5 permit any'))
  t.true(lines.includes('bfd'))
  t.false(lines.includes('ip route 10.0.0.0/8 blackhole'))
})

test('passwords are left out of what people see', (t) => {
  t.is(
    redacted('% Unknown command: neighbor 10.0.0.1 password a b'),
    '% Unknown command: neighbor 10.0.0.1 password ********',
  )
})
