/** The demo, in the guest: two nodes become leaves from the files in examples/demo, and a table of who reaches whom. */
import { demoFiles } from './lab/demo-files.ts'
import { eventually } from './lab/eventually.ts'
import { Lab } from './lab/lab.ts'
import { announcedBy, startFrrSpeaker } from './lab/speaker.ts'
import { addWorkload } from './lab/workload.ts'

const began = performance.now()

interface Check {
  readonly over: string
  readonly what: string
  readonly look: () => Promise<boolean>
}

function say(text: string): void {
  process.stdout.write(`[${((performance.now() - began) / 1000).toFixed(1).padStart(5)}s] ${text}\n`)
}

async function makeLeaves(lab: Lab): Promise<void> {
  const files = await demoFiles()
  say(`gives node1 and node2 the resources of examples/demo: ${Object.keys(files).join(' ')}`)
  await lab.writeConfig(files)
  say('starts nodeleaf-agent on node1 and node2')
  await lab.startAgents()
  for (const node of lab.nodes) {
    const { resources } = await eventually(
      `every resource of ${node.name} is Ready`,
      async () => {
        const status = await node.agent.status()
        const not = status.resources.filter(({ state }) => state !== 'Ready')
        if (status.resources.length < 5 || not.length > 0) throw new Error(JSON.stringify(not))
        return status
      },
      { timeoutMs: 60_000 },
    )
    say(`${node.name}: Ready: ${resources.map(({ kind, name }) => `${kind}/${name}`).join(' ')}`)
  }
}

async function startSpeakers(lab: Lab): Promise<void> {
  say('starts a stock FRR on each host, with sessions to the router; it announces addresses over red and over blue')
  await Promise.all(lab.nodes.map((node) => startFrrSpeaker(node, ['red', 'blue'])))
  say('plugs a virtual machine into br-hs-110 and one into br-hs-300 of each node')
  for (const [at, node] of lab.nodes.entries()) {
    await addWorkload(lab, node, {
      name: `vm${at + 1}`,
      bridge: 'br-hs-110',
      addresses: [`10.110.0.1${at + 1}/24`, `fd00:110::1${at + 1}/64`],
      gateways: ['10.110.0.1', 'fd00:110::1'],
    })
    const addresses = [`10.30.0.1${at + 1}/24`, `fd00:30::1${at + 1}/64`]
    await addWorkload(lab, node, { name: `iso${at + 1}`, bridge: 'br-hs-300', addresses })
  }
}

function checks(lab: Lab): Check[] {
  const list: Check[] = []
  const reach = (over: string, from: string, source: string | undefined, to: string) =>
    list.push({
      over,
      what: `${from}${source === undefined ? '' : ` (${source})`} reaches ${to}`,
      look: () => lab.ns(from).reaches(to, source === undefined ? {} : { from: source }),
    })
  const never = (over: string, from: string, to: string) =>
    list.push({ over, what: `${from} cannot reach ${to}`, look: async () => !(await lab.ns(from).reaches(to)) })

  for (const node of lab.nodes) {
    for (const peer of ['192.168.10.1', 'fd00:10::1']) {
      const look = () => node.routerFrr.established(peer)
      list.push({ over: 'underlay', what: `${node.name}: session with the switch, ${peer}`, look })
    }
    for (const [vrf, net] of Object.entries({ red: '10', blue: '20' })) {
      const suffix = lab.nodes.indexOf(node) + 2
      for (const peer of [`192.169.${net}.${suffix}`, `fd00:c9:${net}::${suffix}`]) {
        const look = () => node.routerFrr.established(peer, vrf)
        list.push({ over: vrf, what: `${node.name}: session with the host, ${peer}`, look })
      }
    }
    const look = async () => {
      const vnis = Object.values((await node.routerFrr.zebra('show evpn vni json')) as Record<string, EvpnVni>)
      const remote = vnis.filter((vni) => vni.type === 'L2').every((vni) => Number(vni.numRemoteVteps) === 2)
      return (
        vnis
          .map(({ vni }) => vni)
          .sort((a, b) => a - b)
          .join() === '100,110,200,300' && remote
      )
    }
    list.push({ over: 'EVPN', what: `${node.name}: VNIs 100 110 200 300, two remote VTEPs each`, look })
  }
  for (const vpn of ['red', 'blue'] as const) {
    for (const [from, to] of [
      ['node1', 'node2'],
      ['node2', 'node1'],
    ] as const) {
      for (const [at, source] of announcedBy(from, vpn).entries()) {
        reach(vpn, from, source, announcedBy(to, vpn)[at] ?? '')
      }
    }
    for (const node of lab.nodes) {
      for (const address of announcedBy(node.name, vpn)) reach(vpn, `host${vpn}`, undefined, address)
    }
  }
  reach('L2 110', 'vm1', undefined, '10.110.0.12')
  reach('L2 110', 'vm1', undefined, 'fd00:110::12')
  reach('L2 110', 'vm1', undefined, '10.110.0.100')
  reach('L2 110', 'vm2', undefined, 'fd00:110::100')
  reach('L2 110 to red', 'vm1', undefined, '10.10.0.2')
  reach('L2 110 to red', 'vm2', undefined, 'fd00:a::2')
  reach('L2 300', 'iso1', undefined, '10.30.0.12')
  reach('L2 300', 'iso2', undefined, '10.30.0.100')
  reach('L2 300', 'iso1', undefined, 'fd00:30::100')
  for (const address of announcedBy('node1', 'red')) never('isolation', 'hostblue', address)
  for (const address of announcedBy('node1', 'blue')) never('isolation', 'hostred', address)
  never('isolation', 'vm1', '10.20.0.2')
  return list
}

interface EvpnVni {
  readonly vni: number
  readonly type: string
  readonly numRemoteVteps?: number | string
}

/** Makes all checks and prints them; true when all passed. */
async function table(lab: Lab): Promise<boolean> {
  const list = checks(lab)
  say(`makes ${list.length} checks`)
  // One after the other: the ones at the end tell of isolation, and mean nothing before the others have passed.
  const results: { check: Check; ok: boolean }[] = []
  for (const check of list) {
    const ok = await eventually(check.what, check.look, { timeoutMs: 20_000 }).then(
      () => true,
      () => false,
    )
    results.push({ check, ok })
  }
  const width = Math.max(...list.map(({ over }) => over.length))
  process.stdout.write('\n')
  for (const { check, ok } of results)
    process.stdout.write(`  ${ok ? 'ok    ' : 'FAILED'}  ${check.over.padEnd(width)}  ${check.what}\n`)
  const passed = results.filter(({ ok }) => ok).length
  if (passed < list.length) process.stdout.write(`\n${await lab.diagnostics()}\n`)
  process.stdout.write(`\ndemo: ${passed} of ${list.length} checks passed\n`)
  return passed === list.length
}

/** Builds the demo and makes its checks. */
export async function demo(): Promise<boolean> {
  say('builds the fabric of clab/fabric.clab.yml: spine, two switches, a remote leaf with hosts, two nodes')
  const lab = await Lab.up()
  say('the fabric has its sessions')
  try {
    await makeLeaves(lab)
    await startSpeakers(lab)
    return await table(lab)
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n${await lab.diagnostics()}\n`)
    process.stdout.write('demo: 0 of 1 checks passed\n')
    return false
  }
}

if (import.meta.main) process.exit((await demo()) ? 0 : 1)
