/** For lab tests: a "node", which is a namespace the test runs in, with a NIC whose cable ends in another namespace. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import type { NodePlan } from '../../../api/plan/node-plan.ts'
import { Kernel } from '../kernel.ts'
import type { DatapathShape } from '../objects.ts'
import type { KernelFailure } from '../operation.ts'

export const NETNS = 'nlrouter'

export function sh(command: string): string {
  return execFileSync('sh', ['-ec', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The test's own namespace serves as the host: it must be a fresh kernel's (or namespace's). */
export class Machine {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'nodeleaf-'))
  readonly warnings: string[] = []
  readonly #shape: DatapathShape
  kernel: Kernel

  constructor(shape: DatapathShape = 'per-vni') {
    this.#shape = shape
    this.kernel = this.open()
    sh(`ip netns add cable
      ip link add eth1 mtu 1500 type veth peer name far netns cable
      ip -n cable link set far up; ip link set eth1 up; ip link set lo up
      ip -n cable addr add 192.168.10.1/24 dev far
      ip addr add 192.168.10.11/24 brd + dev eth1; ip addr add 192.168.10.12/24 dev eth1
      ip addr add fd00:10::11/64 dev eth1 nodad; ip addr add fd00:10::12/64 dev eth1 noprefixroute nodad
      ip addr add 10.99.0.1 peer 10.99.0.2/32 dev eth1
      ip route add 172.16.0.0/16 via 192.168.10.1; ip route add default via 192.168.10.1 metric 77
      ip route add 172.17.0.0/16 via 192.168.10.1 src 192.168.10.12 mtu 1400 table 77 proto 42
      ip -6 route add fd99::/64 via fd00:10::1 metric 55
      sysctl -qw net.ipv4.conf.eth1.rp_filter=2 net.ipv6.conf.eth1.accept_ra=0
      ip link set eth1 alias uplink
      for i in $(seq 300); do
        ip -6 addr show dev eth1 scope link | grep -q fe80 && [ -z "$(ip -6 addr show dev eth1 tentative)" ] && break
        sleep 0.1
      done; sleep 0.2`)
  }

  open(): Kernel {
    const warn = (message: string): void => void this.warnings.push(message)
    const kernel = Kernel.open({ netns: NETNS, stateDir: this.stateDir, warn })
    kernel.useShape(this.#shape)
    return kernel
  }

  /** What a reconciler does, without FRR. */
  async pass(plan: NodePlan): Promise<readonly KernelFailure[]> {
    const { create, raise, plug, remove } = await this.kernel.differences(plan)
    return [
      ...(await this.kernel.apply(create)),
      ...(await this.kernel.apply(raise)),
      ...(await this.kernel.apply(plug)),
      ...(await this.kernel.apply(remove)),
    ]
  }

  async converges(t: ExecutionContext, plan: NodePlan): Promise<void> {
    t.deepEqual(await this.pass(plan), [])
    const { create, raise, plug, remove } = await this.kernel.differences(plan)
    t.deepEqual([...create, ...raise, ...plug, ...remove], [])
  }

  /** Waits until nothing changes by itself any more: link-local addresses come seconds after a link is up. */
  still(): void {
    const look = ['', `-n ${NETNS}`].map((where) => `ip ${where} -o link; ip ${where} -o -6 addr`).join('; ')
    sh(`same=0; before=
      for i in $(seq 300); do
        now=$(${look})
        case $now in "$before") same=$((same + 1)) ;; *) same=0 ;; esac
        case $now in *tentative*) same=0 ;; esac
        [ $same -lt 10 ] || break
        before=$now; sleep 0.3
      done`)
  }

  /** The host as `ip` shows it, a line each. */
  snapshot(): string[] {
    return sh(`for f in -4 -6; do ip $f -d -o route show table all; ip $f rule; ip $f -d -o addr; done; ip -d -o link`)
      .split('\n')
      .map((line) => line.replace(/ +$/, ''))
  }

  async destroy(): Promise<void> {
    await this.kernel.uninstall().catch(() => {})
    this.kernel.close()
    sh(`for n in ${NETNS} cable; do ip netns del $n 2>/dev/null || true; done; ip link del eth1 2>/dev/null || true`)
    rmSync(this.stateDir, { recursive: true, force: true })
  }
}

/** IPv6 takes a moment for duplicate address detection. */
export async function settled<T>(read: () => T, want: T): Promise<T> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const now = read()
    if (JSON.stringify(now) === JSON.stringify(want)) return now
    await setTimeout(100)
  }
  return read()
}

