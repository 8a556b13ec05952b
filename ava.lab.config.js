/** Tests that need the real kernel or FRR. They run in the lab's guest: ./hack/lab-test [FILE...] */
export default {
  extensions: ['ts'],
  files: ['**/*.lab.ts'],
  timeout: '300s',
  workerThreads: false,
  // The checkout is read-only in the guest.
  cache: false,
  // They share the guest's FRR directories, and it has one CPU.
  concurrency: 1,
}
