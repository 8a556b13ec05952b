import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DescMessage } from '@bufbuild/protobuf'
import { generated, isFresh } from './generate.ts'
import { Distribution, file_distribution as file } from './generated/distribution_pb.ts'
import { connect, PLAN_VERSION } from './service.ts'

test('api/wire/generated is of distribution.proto as it is, to the byte where protoc is at hand', (t) => {
  t.true(isFresh(), 'run hack/generate')
  const text = generated()
  if (text === undefined) t.log('protoc is not installed: only the hash was compared')
  else t.is(readFileSync(join(import.meta.dirname, 'generated/distribution_pb.ts'), 'utf8'), text)
})

test('the service is where any gRPC library looks for it', (t) => {
  t.is(connect.path, `/${Distribution.typeName}/Connect`)
  t.is(connect.path, '/nodeleaf.v1alpha1.Distribution/Connect')
  t.true(connect.requestStream && connect.responseStream)
})

const page = readFileSync(join(import.meta.dirname, '../../docs/reference/wire.md'), 'utf8')

/** The message and those inside it that have no name of their own outside. */
const messages: readonly DescMessage[] = file.messages

for (const message of messages) {
  test(`docs/reference/wire.md describes ${message.name} and each of its fields`, (t) => {
    const [, section] = page.split(`\n### ${message.name}\n`)
    t.truthy(section, 'no section')
    const rows = section?.split('\n#')[0] ?? ''
    for (const field of message.fields) t.regex(rows, new RegExp(`\\| ${field.number} \\| \`${field.name}\` \\|`))
    t.is(rows.match(/^\| \d/gm)?.length ?? 0, message.fields.length, 'a field that does not exist')
  })
}

test('docs/reference/wire.md has each status code of the service and the version of the plan', (t) => {
  const proto = readFileSync(join(import.meta.dirname, 'distribution.proto'), 'utf8')
  const codes = [...proto.matchAll(/^ {2}\/\/ {3}([A-Z_]{4,}) /gm)].map(([, code]) => code)
  t.true(codes.length > 6)
  for (const code of codes) t.true(page.includes(`| \`${code}\` |`), code)
  t.true(page.includes(`\`${PLAN_VERSION}\``))
})
