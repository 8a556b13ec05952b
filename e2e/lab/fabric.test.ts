import test from 'ava'
import { batches } from './fabric.ts'

test('neighbouring commands of one program become one process', (t) => {
  t.deepEqual(batches(['ip link set lo up', 'ip addr add 10.0.0.1/32 dev lo', 'ip -6 route add x', 'sysctl -w a=1']), [
    "ip -batch - <<'END'",
    'link set lo up',
    'addr add 10.0.0.1/32 dev lo',
    'END',
    "ip -6 -batch - <<'END'",
    'route add x',
    'END',
    'sysctl -w a=1',
  ])
})
