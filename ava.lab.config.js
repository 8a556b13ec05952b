import { readFileSync } from 'node:fs'

/**
 * Tests that need the real kernel, FRR or both: `npx ava --config ava.lab.config.js [FILE]`, as root in the lab guest.
 * In worker threads there: user-mode Linux 6.12 corrupts the memory of a process that has threads and forks ("Bad page
 * map", panic), so AVA must not start processes; on a kernel of its own each file has a process.
 */
export default {
  extensions: ['ts'],
  files: ['**/*.lab.ts'],
  serial: true,
  concurrency: 1,
  workerThreads: /usermode|User Mode/i.test(readFileSync('/proc/cpuinfo', 'utf8')),
  timeout: '120s',
}
