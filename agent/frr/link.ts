/** The connections to one daemon. */
import { Vty } from './vty.ts'

/** Two connections to a daemon: a `show` need not wait for, or stand in, a configuration session. */
export class Link {
  readonly config: Vty
  readonly show: Vty

  private constructor(config: Vty, show: Vty) {
    this.config = config
    this.show = show
  }

  static async open(path: string): Promise<Link> {
    const [config, show] = await Promise.all([Vty.open(path), Vty.open(path)])
    await Promise.all([config.send('enable'), show.send('enable')])
    return new Link(config, show)
  }

  whenClosed(listener: () => void): void {
    this.config.whenClosed(listener)
    this.show.whenClosed(listener)
  }

  close(): void {
    this.config.close()
    this.show.close()
  }
}
