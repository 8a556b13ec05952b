/** Tests that need the real kernel, FRR or both: `npx ava --config ava.lab.config.js [FILE]`, as root in the lab guest. */
export default {
  extensions: ['ts'],
  files: ['**/*.lab.ts'],
  serial: true,
  concurrency: 1,
  workerThreads: false,
  timeout: '120s',
}
