/** The environment that the controller ships with, so that what is measured is what runs. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { environmentOf } from '../../deploy/checks/dockerfile.ts'

const FILE = join(import.meta.dirname, '../../deploy/docker/controller.Dockerfile')

export const shippedEnvironment = (): Readonly<Record<string, string>> => environmentOf(readFileSync(FILE, 'utf8'))
