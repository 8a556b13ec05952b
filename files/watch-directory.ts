/**
 * Says when a directory may have changed: at once by inotify, and within seconds by looking, for what inotify does not
 * see (targets of links, network file systems, a directory that comes later or is replaced, a watch limit reached).
 */
import { watch, type FSWatcher } from 'node:fs'
import { fingerprint, version } from './directory.ts'

/** Looking at a directory of thousands of files may take this part of the time. */
const LOOK_PART = 200

export interface WatchDirectoryOptions {
  /** At least. */
  readonly rescanMs: number
  readonly signal: AbortSignal
  /** A file beside the directory that counts too. */
  readonly file?: string
}

/** Calls `changed` after every change until the signal aborts; sometimes without one. */
export function watchDirectory(path: string, options: WatchDirectoryOptions, changed: () => void): void {
  const { rescanMs, signal, file } = options
  if (signal.aborted) return
  const look = (): string => `${fingerprint(path)}\n${file === undefined ? '' : version(file)}`
  let seen = look()
  let watched: { readonly watcher: FSWatcher; readonly directory: string } | undefined
  const stopWatching = (): void => {
    watched?.watcher.close()
    watched = undefined
  }
  const startWatching = (): void => {
    const directory = seen.slice(0, seen.indexOf('\n'))
    if (watched?.directory === directory) return
    stopWatching()
    try {
      const watcher = watch(path, { persistent: false }, changed)
      watcher.on('error', stopWatching)
      watched = { watcher, directory }
    } catch {
      // Not there, or no watches left: looking does it.
    }
  }
  startWatching()
  let timer: NodeJS.Timeout | undefined
  const rescan = (): void => {
    const began = performance.now()
    const now = look()
    if (now !== seen) {
      seen = now
      changed()
    }
    startWatching()
    timer = setTimeout(rescan, Math.max(rescanMs, LOOK_PART * (performance.now() - began)))
  }
  timer = setTimeout(rescan, rescanMs)
  signal.addEventListener('abort', () => {
    clearTimeout(timer)
    stopWatching()
  })
}
