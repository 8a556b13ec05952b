/**
 * How long a review takes at 5,000 objects and 1,000 nodes, beside judging all objects again for each request (what the
 * plan's rules do when nothing is known of before). `node bench/admission.ts`
 */
import { judgeFabric } from '../api/rules/judge.ts'
import { snapshotOf } from '../api/snapshot/snapshot.ts'
import { asked, l2vni, l3vni, on, resource, session, underlay, type Raw } from '../controller/admission/fixture.ts'
import type { AdmissionWorld } from '../controller/admission/admission-world.ts'
import { Reviewer } from '../controller/admission/reviewer.ts'

const OBJECTS = 5000
const NODES = 1000
const RACKS = 50

const vrfs = OBJECTS / 50
const objects: Raw[] = [
  underlay('ul', { vtep: { cidrs: ['100.64.0.0/16'] } }),
  ...Array.from({ length: vrfs }, (_, i) => l3vni(`v${i}`, 10_000 + i, `vrf${i}`, session(`10.200.${i}.0/24`), i)),
  ...Array.from({ length: OBJECTS - vrfs - 1 }, (_, i) =>
    l2vni(
      `s${i}`,
      i + 1,
      {
        vrf: `vrf${i % vrfs}`,
        gatewayIPs: [`10.${i >> 8}.${i & 255}.1/24`, `fd00:${i.toString(16)}::1/64`],
        ...(i % 3 === 0 ? on(`r${i % RACKS}`) : {}),
      },
      i,
    ),
  ),
]
const nodes = Array.from({ length: NODES }, (_, i) => ({ name: `n${i}`, labels: { rack: `r${i % RACKS}` } }))
const routerNodes = nodes.map(({ name }, index) =>
  resource({ apiVersion: 'nodeleaf.io/v1alpha1', kind: 'RouterNode', metadata: { name }, spec: { index } }),
)
const declared = objects.map(resource)
const worldOf = (all: typeof declared): AdmissionWorld => ({ snapshot: snapshotOf([...all, ...routerNodes]), nodes })

function measured(name: string, times: number, run: (i: number) => void): void {
  for (let i = 0; i < Math.min(20, times); i++) run(i)
  const durations = Array.from({ length: times }, (_, i) => {
    const start = performance.now()
    run(i)
    return performance.now() - start
  }).sort((a, b) => a - b)
  const at = (share: number): string => (durations[Math.floor(share * (times - 1))] ?? 0).toFixed(2).padStart(9)
  console.log(`${name.padEnd(58)}${at(0.5)}${at(0.99)}${at(1)}`)
}

globalThis.gc?.()
const before = process.memoryUsage().heapUsed
let now = 0
const reviewer = new Reviewer(() => now)
const world = worldOf(declared)
const started = performance.now()
reviewer.review(asked('DELETE', l2vni('nobody', 1)), world)
const indexMs = performance.now() - started
globalThis.gc?.()
const indexMiB = (process.memoryUsage().heapUsed - before) / 2 ** 20

const fresh = (i: number): Raw =>
  l2vni(`new${i}`, 20_000 + i, { vrf: 'vrf1', gatewayIPs: [`172.16.${i & 255}.1/24`], ...on('r1', 'r2') })
const changed = (raw: Raw, spec: object): Raw => ({ ...raw, spec: { ...raw.spec, ...spec } })
const segment = (i: number): Raw => objects[vrfs + 1 + i] as Raw
const [ul] = objects as [Raw]

console.log(`${OBJECTS} objects, ${NODES} nodes; milliseconds`.padEnd(58) + '      p50      p99      max')
measured('create L2VNI, allowed', 500, (i) => void reviewer.review(asked('CREATE', fresh(i), { dryRun: true }), world))
measured('create L2VNI, allowed, each remembered', 500, (i) => {
  reviewer.review(asked('CREATE', fresh(i)), world)
  now += 100
})
measured(
  'create L2VNI, refused for its VNI',
  500,
  (i) => void reviewer.review(asked('CREATE', changed(fresh(i), { vni: 77 })), world),
)
measured(
  'create L2VNI, refused for its bridge or gateway',
  500,
  (i) => void reviewer.review(asked('CREATE', changed(fresh(i), { gatewayIPs: ['10.0.1.1/16'] })), world),
)
measured(
  'update L2VNI',
  500,
  (i) =>
    void reviewer.review(
      asked('UPDATE', changed(segment(i), { mtu: 1400 }), { oldObject: segment(i), dryRun: true }),
      world,
    ),
)
measured(
  'update Underlay, pool grown',
  50,
  () =>
    void reviewer.review(
      asked('UPDATE', changed(ul, { vtep: { cidrs: ['100.64.0.0/15'] } }), { oldObject: ul, dryRun: true }),
      world,
    ),
)
measured(
  'delete Underlay, everything needs it',
  50,
  () => void reviewer.review(asked('DELETE', ul, { dryRun: true }), world),
)
const worlds: AdmissionWorld[] = []
for (let i = 0, all = declared; i < 60; i++) {
  all = all.with(vrfs + 1 + i, resource(changed(segment(i), { mtu: 1300 + i })))
  worlds.push(worldOf(all))
}
measured(
  'create L2VNI after one object of the world changed',
  40,
  (i) => void reviewer.review(asked('CREATE', fresh(i), { dryRun: true }), worlds[(i + 20) % 60] as AdmissionWorld),
)
measured('baseline: all objects judged again', 20, (i) => {
  const added = [...declared, resource(fresh(i))]
  judgeFabric(snapshotOf(added))
})
console.log(
  `\nthe first review makes the index: ${indexMs.toFixed(0)} ms${globalThis.gc ? `, ${indexMiB.toFixed(0)} MiB of heap` : ''}`,
)
