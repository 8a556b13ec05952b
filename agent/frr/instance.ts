/** Lines that every BGP instance of the router has. */
import { leaf } from './tree.ts'
import type { Block } from './tree.ts'
import type { ResourceRef, RouterPlan } from '../../api/plan/node-plan.ts'

/**
 * The head of an instance. FRR hides what equals its defaults, and entering some of those again resets every session
 * (FRR issue 22953), so they are never written.
 */
export function instanceLines(router: RouterPlan, ref: ResourceRef = router.for): Block[] {
  const restart = router.gracefulRestart
  return [
    `bgp router-id ${router.routerID}`,
    'no bgp ebgp-requires-policy',
    'no bgp default ipv4-unicast',
    // The check asks zebra for a route to the host's address, and so does the session with that host, which takes only
    // a connected one; zebra has one answer for both, that of who asked last (zebra/zapi_msg.c, zread_rnh_register).
    'no bgp network import-check',
    ...(restart && restart.stalePathTimeSeconds !== 360
      ? [`bgp graceful-restart stalepath-time ${restart.stalePathTimeSeconds}`]
      : []),
    ...(restart && restart.restartTimeSeconds !== 120
      ? [`bgp graceful-restart restart-time ${restart.restartTimeSeconds}`]
      : []),
    // The kernel forwards while bgpd is away: say so (the F bit, RFC 4724 section 3), or the peers drop the routes.
    ...(restart ? ['bgp graceful-restart', 'bgp graceful-restart preserve-fw-state'] : []),
    ...(router.multipathRelax ? ['bgp bestpath as-path multipath-relax'] : []),
  ].map((line) => leaf(line, ref))
}

/** Debian builds FRR with `--enable-multipath=256`, which is then the default. */
const compiledPaths = 256

/** ECMP, in each unicast address family. */
export function pathLines(router: RouterPlan, ref: ResourceRef = router.for): Block[] {
  if (router.maximumPaths === compiledPaths) return []
  return [`maximum-paths ${router.maximumPaths}`, `maximum-paths ibgp ${router.maximumPaths}`].map((line) =>
    leaf(line, ref),
  )
}
