import test from 'ava'
import { exposition } from './exposition.ts'

test('metrics have help, type and samples; one without samples is left out', (t) => {
  const text = exposition([
    {
      name: 'a_ready',
      type: 'gauge',
      help: 'Whether.',
      samples: [
        [{ kind: 'x', name: 'y' }, 1],
        [{}, 0],
      ],
    },
    { name: 'a_none', type: 'gauge', help: 'None.', samples: [] },
    { name: 'a_total', type: 'counter', help: 'All.', samples: [[{}, 3]] },
  ])
  t.is(
    text,
    [
      '# HELP a_ready Whether.\n# TYPE a_ready gauge\na_ready{kind="x",name="y"} 1\na_ready 0\n',
      '# HELP a_total All.\n# TYPE a_total counter\na_total 3\n',
    ].join('\n'),
  )
})

test('quotes, backslashes and line ends in labels and help are escaped', (t) => {
  const text = exposition([{ name: 'm', type: 'gauge', help: 'a\\b\nc', samples: [[{ why: 'says "no"\n\\' }, 1]] }])
  t.is(text, '# HELP m a\\\\b\\nc\n# TYPE m gauge\nm{why="says \\"no\\"\\n\\\\"} 1\n')
})
