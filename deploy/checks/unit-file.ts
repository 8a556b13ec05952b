/** systemd's unit files and podman's quadlets, as far as the checks look into them. systemd.syntax(7) */
export type UnitFile = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

/** Sections, and the values of each key in the order in which they stand. */
export function unitFile(text: string): UnitFile {
  const sections = new Map<string, Map<string, string[]>>()
  let section = new Map<string, string[]>()
  for (const line of text.split('\n').map((each) => each.trim())) {
    const [, name] = /^\[(.+)\]$/.exec(line) ?? []
    if (name !== undefined) sections.set(name, (section = new Map()))
    else if (line !== '' && !/^[#;]/.test(line)) {
      const [, key = '', value = ''] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? []
      if (key === '') throw new Error(`this is no line of a unit file: ${line}`)
      section.set(key, [...(section.get(key) ?? []), value])
    }
  }
  return sections
}

/** The program's arguments in `ExecStart=`, after the bundle's path. */
export function argumentsAfter(command: string, program: string): readonly string[] {
  const words = command.split(' ').filter((word) => word !== '' && !/^\$[A-Z_]+$/.test(word))
  const at = words.findIndex((word) => word.endsWith(program))
  if (at < 0) throw new Error(`${command} does not start ${program}`)
  return words.slice(at + 1)
}
