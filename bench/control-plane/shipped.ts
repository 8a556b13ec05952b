/** The environment that the controller ships with, so that what is measured is what runs. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const FILE = join(import.meta.dirname, '../../deploy/docker/controller.Dockerfile')

/** Of the image's last stage, by name. */
export function shippedEnvironment(): Readonly<Record<string, string>> {
  const last =
    readFileSync(FILE, 'utf8')
      .replaceAll('\\\n', ' ')
      .split(/^FROM /m)
      .at(-1) ?? ''
  const lines = last.split('\n').filter((line) => line.startsWith('ENV '))
  return Object.fromEntries(
    lines.flatMap((line) =>
      [...line.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)].map(([, name = '', quoted, bare = '']) => [
        name,
        quoted ?? bare,
      ]),
    ),
  )
}
