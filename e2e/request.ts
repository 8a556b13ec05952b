/** What hack/lab asks of a running lab. */
export type LabRequest =
  /** A command in a namespace: its name, then the words. */
  | { readonly do: 'exec'; readonly argv: readonly string[] }
  /** A prompt on the channel. */
  | { readonly do: 'shell'; readonly rows: number; readonly columns: number; readonly terminal: string }
