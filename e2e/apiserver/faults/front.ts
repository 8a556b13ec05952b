/**
 * A TCP relay in front of the server, so that connections can suffer what networks and frozen machines do to them: it
 * can be down (refused), frozen (accepted, no byte moves), and reset what is open.
 */
import { randomInt } from 'node:crypto'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'

/** Below the ports that the kernel gives to clients: one of those could be another's when it comes up again. */
const ANY = [10_000, 32_000] as const

interface Relay {
  readonly outside: Socket
  readonly inside: Socket
}

export class Front {
  readonly #relays = new Set<Relay>()
  readonly #inner: number
  readonly #address: string
  #port: number
  #server: Server | undefined
  #frozen = false
  /** Connections that came while frozen. */
  readonly #waiting = new Set<Socket>()

  constructor(inner: number, address: string, port: number) {
    this.#inner = inner
    this.#address = address
    this.#port = port
  }

  /** Where it listens; the port stays over down and up. */
  get port(): number {
    return this.#port
  }

  /** Listens; again after `down`. */
  async up(): Promise<void> {
    if (this.#server) return
    while (!this.#server)
      try {
        await this.#listen(this.#port === 0 ? randomInt(...ANY) : this.#port)
      } catch (error) {
        if (this.#port !== 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      }
  }

  async #listen(port: number): Promise<void> {
    const server = createServer({ noDelay: true }, (outside) => this.#take(outside))
    server.listen(port, this.#address)
    await once(server, 'listening')
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
  }

  /** Connections are refused, those that are open are reset. */
  async down(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    const closed = server && once(server, 'close')
    server?.close()
    this.reset()
    await closed
  }

  /** As a machine that has stopped: whoever connects is connected, and nothing is read or answered. */
  freeze(): void {
    this.#frozen = true
    for (const { outside, inside } of this.#relays) {
      outside.pause()
      inside.pause()
    }
  }

  thaw(): void {
    this.#frozen = false
    for (const { outside, inside } of this.#relays) {
      outside.resume()
      inside.resume()
    }
    for (const outside of this.#waiting) this.#relay(outside)
    this.#waiting.clear()
  }

  /** Every open connection is reset. */
  reset(): void {
    for (const { outside, inside } of this.#relays) {
      outside.resetAndDestroy()
      inside.destroy()
    }
    for (const outside of this.#waiting) outside.resetAndDestroy()
    this.#waiting.clear()
  }

  /** Resets the connection that the server inside sees as coming from this port. */
  resetOne(port: number | undefined): void {
    for (const { outside, inside } of this.#relays) {
      if (inside.localPort !== port) continue
      outside.resetAndDestroy()
      inside.destroy()
    }
  }

  get connections(): number {
    return this.#relays.size
  }

  #take(outside: Socket): void {
    outside.on('error', () => outside.destroy())
    if (!this.#frozen) return this.#relay(outside)
    outside.pause()
    this.#waiting.add(outside)
    outside.once('close', () => this.#waiting.delete(outside))
  }

  #relay(outside: Socket): void {
    const inside = connect({ port: this.#inner, host: '127.0.0.1', noDelay: true })
    const relay = { outside, inside }
    this.#relays.add(relay)
    forward(outside, inside, () => this.#frozen)
    forward(inside, outside, () => this.#frozen)
    outside.resume()
    // A reset inside is one outside too.
    inside.on('error', () => outside.resetAndDestroy())
    const close = (): void => {
      this.#relays.delete(relay)
      inside.destroy()
      if (!outside.destroyed) outside.destroySoon()
    }
    inside.once('close', close)
    outside.once('close', close)
  }
}

function forward(from: Socket, to: Socket, frozen: () => boolean): void {
  from.on('data', (chunk) => {
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => {
    if (!frozen()) from.resume()
  })
  from.on('end', () => to.end())
}
