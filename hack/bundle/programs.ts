/** The programs that ship, and where each starts. */
export const programs = {
  cli: { source: 'cli/main.ts', bundle: 'nodeleaf.mjs' },
  agent: { source: 'agent/main.ts', bundle: 'nodeleaf-agent.mjs' },
  controller: { source: 'controller/main.ts', bundle: 'nodeleaf-controller.mjs' },
} as const

export type Program = keyof typeof programs

/** The programs that the arguments name; all when there are none. @throws Error naming what there is. */
export function chosen(args: readonly string[]): readonly Program[] {
  const all = Object.keys(programs) as Program[]
  const unknown = args.find((arg) => !all.some((program) => program === arg))
  if (unknown !== undefined) throw new Error(`there is no program "${unknown}": there are ${all.join(', ')}`)
  return args.length === 0 ? all : all.filter((program) => args.includes(program))
}
