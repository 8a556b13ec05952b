/** The control-plane suite: an API server, real or in memory, and what runs against it: ./hack/control-plane-test [FILE...] */
export default {
  extensions: ['ts'],
  files: ['e2e/control-plane/*.suite.ts'],
  timeout: '300s',
  workerThreads: false,
  // Each file starts its own servers, on a machine with two cores.
  concurrency: 2,
}
