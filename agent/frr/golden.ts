/** Where the golden text of an example plan is. */
import { fileURLToPath } from 'node:url'

export function goldenPath(name: string): string {
  return fileURLToPath(new URL(`golden/${name.replaceAll(' ', '-')}.conf`, import.meta.url))
}
