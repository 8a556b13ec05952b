#!/usr/bin/env node
// take-over.mjs SOCKET: asks an agent that already runs on this node to end, and waits until it has. It changes nothing on the
// node; one that does not run needs no asking. Ends with 1 when it still answers after half a minute.
import http from 'node:http'

const socketPath = process.argv[2] ?? '/run/nodeleaf/agent.sock'
const until = Date.now() + 30_000

function ask() {
  // A connection of its own: one that is kept open would still reach an agent that has stopped listening.
  const request = http.request({ socketPath, path: '/stop', method: 'POST', timeout: 5000, agent: false })
  request.on('response', (response) => response.resume().on('end', again))
  request.on('timeout', () => request.destroy(new Error('no answer')))
  request.on('error', (error) => {
    if (['ENOENT', 'ECONNREFUSED'].includes(error.code)) return
    again()
  })
  request.end()
}

function again() {
  if (Date.now() < until) setTimeout(ask, 250)
  else {
    console.error(`take-over: an agent still answers on ${socketPath}: stop the unit that starts it again`)
    process.exitCode = 1
  }
}

ask()
