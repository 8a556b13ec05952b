import { writeFileSync } from 'node:fs'
import test from 'ava'
import { addAddress } from '../netlink/address.ts'
import { Feed } from '../netlink/feed.ts'
import { labNetns } from '../netlink/lab-netns.ts'
import { runInNetns } from '../netlink/netns.ts'
import { addRoute, deleteRoute } from '../netlink/route.ts'
import { routeHead, RTM_DELROUTE, RTM_NEWROUTE } from '../netlink/route-message.ts'
import { PROTOCOL } from '../owner.ts'
import { EVENT_FILTER } from './event-filter.ts'
import { concernsAll, RTM_NEWNETCONF } from './netconf.ts'

const BGP = 186

test('what the kernel makes for links and addresses does not come; ours, and what others make, does', (t) => {
  const lab = labNetns(t)
  using feed = Feed.open({ netns: lab.path, groups: ['link', 'address', 'route', 'netconf'], filter: EVENT_FILTER })
  using all = Feed.open({ netns: lab.path, groups: ['link', 'address', 'route', 'netconf'] })
  const heard = (from: Feed): string[] => {
    const found: string[] = []
    from.read(({ type, body }) => {
      if (type === RTM_NEWROUTE) found.push(`route ${routeHead(body).protocol}`)
      else if (type === RTM_DELROUTE) found.push(`no route ${routeHead(body).protocol}`)
      else if (type === RTM_NEWNETCONF) found.push(concernsAll(body) ? 'setting of all' : 'setting of a link')
      else found.push('link or address')
    })
    return [...new Set(found)].toSorted()
  }
  const { index: link } = lab.link({ name: 'one', data: { kind: 'bridge' }, up: true })
  addAddress(lab.netlink, { link, address: '10.0.0.1/24' })
  addAddress(lab.netlink, { link, address: 'fd00::1/64', noDad: true })
  t.deepEqual(heard(all), ['link or address', 'route 2', 'setting of a link'])
  t.deepEqual(heard(feed), ['link or address'])
  for (const protocol of [PROTOCOL, BGP]) {
    const route = { destination: `10.${protocol}.0.0/16`, protocol, nexthops: [{ link }] }
    addRoute(lab.netlink, route)
    deleteRoute(lab.netlink, route)
  }
  t.deepEqual(heard(feed), [`no route ${PROTOCOL}`, `route ${PROTOCOL}`, `route ${BGP}`])
  runInNetns(lab.path, () => {
    for (const value of ['1', '0']) writeFileSync('/proc/sys/net/ipv4/conf/all/forwarding', value)
  })
  t.deepEqual(heard(feed), ['setting of all'])
})
