/**
 * Lets a test kill the agent between two steps of a NIC's move: NODELEAF_CRASH_AT=nic-move:3 ends the process with
 * SIGKILL after the third step of bringing a NIC in, nic-return:2 after the second of giving it back.
 */
export function crashPoint(move: 'nic-move' | 'nic-return', step: number): void {
  if (process.env['NODELEAF_CRASH_AT'] === `${move}:${step}`) process.kill(process.pid, 'SIGKILL')
}
