/** What needs Helm: run by hack/deploy-test. */
export default {
  extensions: ['ts'],
  files: ['deploy/**/*.suite.ts'],
  timeout: '300s',
  workerThreads: false,
}
