/** BIRD in a namespace, as Calico runs it. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { attempt, run } from './command.ts'
import { eventually } from './eventually.ts'

export class Bird {
  readonly namespace: string
  private readonly path: string

  constructor(namespace: string) {
    this.namespace = namespace
    this.path = `/run/bird/${namespace}`
  }

  /** Starts BIRD; it detaches once the configuration was read. @throws CommandError */
  async start(config: string): Promise<void> {
    await mkdir('/run/bird', { recursive: true })
    await writeFile(`${this.path}.conf`, config)
    const argv = ['bird', '-c', `${this.path}.conf`, '-s', `${this.path}.ctl`, '-P', `${this.path}.pid`]
    await run(['nsenter', `--net=/run/netns/${this.namespace}`, ...argv])
  }

  /** What birdc says: `show('protocols all')`, `show('route')`. */
  async show(what: string): Promise<string> {
    return (await attempt(['birdc', '-s', `${this.path}.ctl`, 'show', ...what.split(' ')])).stdout
  }

  /** Ends BIRD and waits until it is gone; it takes its routes out of the kernel. */
  async stop(): Promise<void> {
    const pid = Number(await readFile(`${this.path}.pid`, 'utf8').catch(() => '0'))
    if (pid === 0) return
    process.kill(pid, 'SIGTERM')
    await eventually('BIRD ended', () => attempt(['test', '!', '-d', `/proc/${pid}`]).then((gone) => gone.status === 0))
    await rm(`${this.path}.pid`, { force: true })
  }
}
