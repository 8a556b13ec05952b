/** How the lab starts nodeleaf's programs: as bundles where the runner has made them, else from the sources. */
import { join } from 'node:path'
import { programs, type Program } from '../../hack/bundle/programs.ts'

const BIN = join(import.meta.dirname, '..', '..', 'bin')

/** The words before a program's own. */
export function program(name: Program): readonly string[] {
  const bundles = process.env['NODELEAF_PROGRAMS']
  if (bundles !== undefined) return [process.execPath, join(bundles, programs[name].bundle)]
  return [join(BIN, name === 'cli' ? 'nodeleaf' : `nodeleaf-${name}`)]
}
