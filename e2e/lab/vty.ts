/**
 * Asks an FRR daemon over its vty socket: processes, such as vtysh, are what is slow in the guest. For reading state only; the
 * tests keep their own few lines of it, so that they do not rest on the code they test.
 * Protocol: lib/vty.c, vtysh_client_run() in vtysh/vtysh.c: command NUL -> text NUL NUL NUL status.
 */
import { connect } from 'node:net'

/** A daemon that did not answer, or refused the command. */
export class VtyError extends Error {
  readonly code = 'VTY'
}

/** Sends one command in the enable node and gives the answer's text. @throws VtyError */
export function ask(socketPath: string, command: string, timeoutMs = 30_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath)
    const commands = ['enable', command]
    let answer = Buffer.alloc(0)
    const fail = (message: string) => {
      socket.destroy()
      reject(new VtyError(`${socketPath}: "${command}": ${message}`))
    }
    const send = () => socket.write(`${commands[0]}\0`)
    socket.setTimeout(timeoutMs, () => fail(`no answer within ${timeoutMs / 1000} s`))
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => fail('the daemon closed the connection'))
    socket.on('connect', send)
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      const end = answer.length - 4
      if (end < 0 || answer[end] !== 0 || answer[end + 1] !== 0 || answer[end + 2] !== 0) return
      const status = answer[end + 3] ?? 0
      const text = answer.subarray(0, end).toString('utf8')
      answer = Buffer.alloc(0)
      commands.shift()
      if (status > 1) return fail(`status ${status}: ${text.trim()}`)
      if (commands.length > 0) return send()
      socket.removeAllListeners('close')
      socket.destroy()
      resolve(text)
    })
  })
}
