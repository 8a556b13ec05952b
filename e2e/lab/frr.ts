/** A whole FRR in a namespace: started, configured, asked, ended. Several run side by side, each in a path space (`-N`). */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { attempt, run } from './command.ts'
import { eventually } from './eventually.ts'
import { ask } from './vty.ts'

export type FrrDaemon = 'mgmtd' | 'zebra' | 'bgpd' | 'bfdd' | 'staticd'

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any

const DAEMONS: readonly FrrDaemon[] = ['mgmtd', 'zebra', 'bgpd', 'bfdd', 'staticd']

export class Frr {
  readonly namespace: string
  /** Name of the path space: sockets are in /run/frr/NAME, files in /etc/frr/NAME. */
  readonly name: string

  constructor(namespace: string, name: string = namespace) {
    this.namespace = namespace
    this.name = name
  }

  /** Starts the daemons with a configuration, as FRR's container does: daemons first, then `vtysh -b`. */
  async start(config: string): Promise<void> {
    await mkdir(`/etc/frr/${this.name}`, { recursive: true })
    await mkdir(`/run/frr/${this.name}`, { recursive: true })
    await mkdir('/var/log/frr', { recursive: true })
    await writeFile(`/etc/frr/${this.name}/frr.conf`, config)
    await writeFile(`/etc/frr/${this.name}/vtysh.conf`, 'service integrated-vtysh-config\n')
    const options = (daemon: FrrDaemon) =>
      `-d -N ${this.name} -A 127.0.0.1 --log file:/var/log/frr/${this.name}.log ${daemon === 'zebra' ? '-s 90000000' : ''}`
    const script = [
      `chown -R frr:frr /etc/frr/${this.name} /run/frr/${this.name} /var/log/frr`,
      // A daemon keeps the output it was started with: a pipe would never close.
      ...DAEMONS.map((daemon) => `${daemon} ${options(daemon)} </dev/null >>/var/log/frr/${this.name}.start 2>&1`),
      `exec vtysh -N ${this.name} -b`,
    ]
    await run(['nsenter', `--net=/run/netns/${this.namespace}`, 'sh', '-eu'], { input: script.join('\n') })
  }

  /** Ends the daemons at once, and waits until they are gone. Their routes stay in the kernel. */
  async kill(daemons: readonly FrrDaemon[] = DAEMONS): Promise<void> {
    await this.signal('SIGKILL', daemons)
  }

  /** Ends the daemons in order: sessions are closed, zebra takes its routes out of the kernel. */
  async stop(daemons: readonly FrrDaemon[] = DAEMONS): Promise<void> {
    await this.signal('SIGTERM', daemons)
    await rm(`/run/frr/${this.name}`, { recursive: true, force: true })
  }

  private async signal(signal: NodeJS.Signals, daemons: readonly FrrDaemon[]): Promise<void> {
    const pids = await this.pids()
    const ours = daemons.flatMap((daemon) => pids.get(daemon) ?? [])
    for (const pid of ours) if (alive(pid)) process.kill(pid, signal)
    await eventually(`FRR ${this.name} ended`, () => !ours.some(alive), { everyMs: 20 })
  }

  /** Process IDs of the daemons that run. */
  async pids(): Promise<ReadonlyMap<FrrDaemon, number>> {
    const found = new Map<FrrDaemon, number>()
    for (const daemon of DAEMONS) {
      const pid = Number(await readFile(`/run/frr/${this.name}/${daemon}.pid`, 'utf8').catch(() => '0'))
      if (pid > 0 && alive(pid)) found.set(daemon, pid)
    }
    return found
  }

  /** Enters configuration lines, indented or with `exit`, as in a file. @throws CommandError */
  async configure(...lines: string[]): Promise<void> {
    const args = ['configure terminal', ...lines.flatMap((line) => line.split('\n'))].flatMap((line) => [
      '-c',
      line.trim(),
    ])
    await run(['vtysh', '-N', this.name, ...args])
  }

  /** The answer of a `show` command as text; empty when FRR does not run. */
  async vtysh(...commands: string[]): Promise<string> {
    return (await attempt(['vtysh', '-N', this.name, ...commands.flatMap((command) => ['-c', command])])).stdout
  }

  /** Asks bgpd: `bgp('show bgp l2vpn evpn summary json')`. @throws VtyError */
  async bgp(command: string): Promise<Json> {
    return answer(await ask(this.socket('bgpd'), command))
  }

  /** Asks zebra: `zebra('show evpn vni json')`, `zebra('show ip route vrf red json')`. @throws VtyError */
  async zebra(command: string): Promise<Json> {
    return answer(await ask(this.socket('zebra'), command))
  }

  /** Asks bfdd: `bfd('show bfd peers json')`. @throws VtyError */
  async bfd(command: string): Promise<Json> {
    return answer(await ask(this.socket('bfdd'), command))
  }

  /** BGP sessions of an instance, by peer; dynamic and unnumbered neighbours included. `vrf` defaults to `default`. */
  async sessions(vrf = 'default'): Promise<ReadonlyMap<string, BgpSession>> {
    const all = await this.bgp(`show bgp vrf ${vrf} neighbors json`)
    return new Map(
      Object.entries(all as Record<string, Json>)
        .filter(([, peer]) => typeof peer === 'object' && peer !== null && 'bgpState' in peer)
        .map(([peer, state]) => [
          peer,
          {
            state: state.bgpState,
            remoteAs: state.remoteAs,
            uptimeMs: state.bgpTimerUpMsec ?? 0,
            established: state.connectionsEstablished ?? 0,
            dropped: state.connectionsDropped ?? 0,
            bfd: state.peerBfdInfo?.status,
            families: Object.keys(state.addressFamilyInfo ?? {}),
            detail: state,
          },
        ]),
    )
  }

  /** True when the session with a peer is Established. */
  async established(peer: string, vrf = 'default'): Promise<boolean> {
    return (await this.sessions(vrf)).get(peer)?.state === 'Established'
  }

  /** The running configuration of bgpd and zebra, to compare before and after. */
  async running(): Promise<string> {
    const texts = await Promise.all([
      ask(this.socket('bgpd'), 'show running-config'),
      ask(this.socket('zebra'), 'show running-config'),
    ])
    return texts.join('\n')
  }

  socket(daemon: FrrDaemon): string {
    return `/run/frr/${this.name}/${daemon}.vty`
  }
}

export interface BgpSession {
  /** FRR's word: Established, Active, Connect, Idle, OpenSent, OpenConfirm. */
  readonly state: string
  readonly remoteAs: number
  readonly uptimeMs: number
  /** How often the session came up and went down since the neighbour exists. */
  readonly established: number
  readonly dropped: number
  readonly bfd?: string
  readonly families: readonly string[]
  readonly detail: Json
}

function answer(text: string): Json {
  const trimmed = text.trim()
  return trimmed.startsWith('{') || trimmed.startsWith('[') ? JSON.parse(trimmed) : trimmed
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
