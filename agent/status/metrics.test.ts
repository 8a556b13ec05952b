import test from 'ava'
import { statusDocument } from './document.ts'
import { metricsText } from './metrics.ts'

test('metrics are made from the status', (t) => {
  const text = metricsText(
    statusDocument({
      now: 0,
      start: 0,
      netns: 'r',
      versions: { agent: '1', kernel: '6', runtime: 'v24' },
      frr: { mode: 'managed', name: 'r', state: 'connected' },
      source: {
        node: { name: 'n', labels: {}, number: { problem: 'none' } },
        problems: [],
        conflicts: [],
        files: 0,
        unsettled: false,
      },
      controller: { address: 'c:1', state: 'refused', since: 0, reason: 'Unauthenticated', certificateEnds: 7000 },
      resources: [{ ref: { kind: 'L3VNI', name: 'red' }, state: { state: 'Ready', since: 0 } }],
      sessions: [{ peer: '192.0.2.1', state: 'Idle' }],
      vnis: [],
      counters: { netlinkWrites: 3, frrCommands: 0, reconciles: 1, phases: { 'making links': 1500 } },
    }),
  )
  t.regex(text, /^nodeleaf_resource_ready\{kind="L3VNI",name="red",state="Ready"\} 1$/m)
  t.regex(text, /^nodeleaf_bgp_session_established\{peer="192.0.2.1",vrf="default"\} 0$/m)
  t.regex(text, /^nodeleaf_reconcile_phase_seconds_total\{phase="making links"\} 1\.5$/m)
  t.regex(text, /^nodeleaf_controller_connected 0$/m)
  t.regex(text, /^nodeleaf_controller_refused\{reason="Unauthenticated"\} 1$/m)
  t.regex(text, /^nodeleaf_controller_certificate_expiry_timestamp_seconds 7$/m)
  t.regex(text, /^# TYPE nodeleaf_netlink_writes_total counter\nnodeleaf_netlink_writes_total 3$/m)
  t.regex(text, /^nodeleaf_build_info\{agent="1",kernel="6",runtime="v24"\} 1$/m)
})
