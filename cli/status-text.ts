/** The agent's status for people. Pure. */
import type { ControllerStatus, StatusDocument } from '../agent/status/document.ts'
import { table } from './table.ts'

/** What is wrong comes before what works. */
export function statusText(status: StatusDocument): string {
  const now = Date.parse(status.time)
  return [
    header(status),
    problems(status),
    resources(status, now),
    refused(status),
    sessions(status, now),
    vnis(status),
    hostSessions(status),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function header(status: StatusDocument): string {
  const { node, router, frr, revision, versions, addresses, counters, progress } = status
  const number = node.index === undefined ? 'no number' : `index ${node.index} from ${node.indexFrom ?? '?'}`
  const { lastReconcile } = counters
  const lines: readonly (readonly [string, string])[] = [
    ['Node', `${node.name} (${number})`],
    ['Router', [`netns ${router.netns}`, router.asn === undefined ? 'no Underlay' : `AS ${router.asn}`].join(', ')],
    ['VTEP', addresses.vteps.join(', ') || '-'],
    ['Router ID', addresses.routerID ?? '-'],
    ['Plan', planText(revision)],
    ...(status.controller === undefined
      ? []
      : [['Controller', controllerText(status.controller, Date.parse(status.time))] as const]),
    ['FRR', `${frr.mode}, ${frr.state}${frr.message === undefined ? '' : `: ${frr.message}`}`],
    ...(status.datapath === undefined ? [] : [['Datapath', datapathText(status.datapath)] as const]),
    [
      'Versions',
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    [
      'Work',
      `${counters.reconciles} passes, ${counters.netlinkWrites} netlink writes, ${counters.frrCommands} FRR commands` +
        ` since ${counters.start}`,
    ],
    ...(progress === undefined ? [] : [['At work', progressText(progress, Date.parse(status.time))] as const]),
    [
      'Last pass',
      lastReconcile === undefined
        ? '-'
        : `${lastReconcile.netlinkWrites} netlink writes, ${lastReconcile.frrCommands} FRR commands in ` +
          `${lastReconcile.durationMs} ms (${lastReconcile.reasons.join(', ')})`,
    ],
  ]
  return lines.map(([name, value]) => `${`${name}:`.padEnd(11)} ${value}`).join('\n')
}

function progressText({ doing, done, total, since }: NonNullable<StatusDocument['progress']>, now: number): string {
  return `${doing}, ${done} of ${total} steps done, for ${ago(Date.parse(since), now)}`
}

function datapathText({ shape, reason, changing }: NonNullable<StatusDocument['datapath']>): string {
  if (changing === undefined) return `${shape} (${reason})`
  return `changes from ${changing.from} to ${shape}, ${changing.vnisLeft} VNIs left (${reason})`
}

function planText({ desired, applied, lastGood, from, controller }: StatusDocument['revision']): string {
  if (desired === undefined) return 'none is known'
  const state =
    applied === desired ? 'applied' : applied === undefined ? 'not applied yet' : `not applied yet, ${applied} was`
  const origin =
    from === 'last-good'
      ? ', the last good one: the configuration cannot be read'
      : from === 'controller'
        ? `, from the controller (${controller === desired ? 'alone' : 'and files'})`
        : ''
  const stored = lastGood === desired ? '' : ', not stored'
  return `${desired}, ${state}${origin}${stored}`
}

function controllerText({ address, state, since, ...rest }: ControllerStatus, now: number): string {
  const { replica, lastContact, lastError, reason } = rest
  const heard = lastContact === undefined ? 'never heard' : `last heard ${ago(Date.parse(lastContact), now)} ago`
  const length = ago(Date.parse(since), now)
  if (state === 'connected') return `${address}, connected to ${replica ?? '?'} for ${length}`
  const why = lastError === undefined ? '' : `: ${lastError}`
  return `${address}, ${state} for ${length}, ${heard}${reason === undefined ? '' : `, ${reason}`}${why}`
}

function problems(status: StatusDocument): string {
  const lines = status.problems.map(({ where, message }) =>
    message.includes(where) ? message : `${where}: ${message}`,
  )
  if (status.problem !== undefined) lines.unshift(`${status.problem.reason}: ${status.problem.message}`)
  return lines.length === 0 ? '' : ['Problems:', ...lines.map((line) => `  ${line}`)].join('\n')
}

function resources(status: StatusDocument, now: number): string {
  if (status.resources.length === 0) return 'No resources.'
  const rows = status.resources.map(({ kind, name, state, since, reason, message, nextTry }) => {
    const next = nextTry === undefined ? '' : `, next try in ${ago(now, Date.parse(nextTry))}`
    const detail = [reason, message].filter((part) => part !== undefined).join(': ') + next
    return [`${kind}/${name}`, state, ago(Date.parse(since), now), detail]
  })
  return table(['RESOURCE', 'STATE', 'SINCE', 'MESSAGE'], rows)
}

function refused(status: StatusDocument): string {
  if (status.refused.length === 0) return ''
  const rows = status.refused.map(({ object, reason, field, message, remedy }) => [
    `${object.kind}/${object.name}`,
    reason,
    `${field}: ${message}; ${remedy}`,
  ])
  return table(['REFUSED', 'REASON', 'MESSAGE'], rows)
}

function sessions(status: StatusDocument, now: number): string {
  if (status.sessions.length === 0) return ''
  const rows = status.sessions.map((session) => [
    session.peer,
    session.vrf ?? 'default',
    session.remoteAS === undefined ? '-' : String(session.remoteAS),
    session.state,
    session.since === undefined ? '-' : ago(Date.parse(session.since), now),
    countText(session.prefixesReceived),
    countText(session.prefixesSent),
    session.bfd ?? '-',
  ])
  return table(['SESSION', 'VRF', 'AS', 'STATE', 'SINCE', 'RECEIVED', 'SENT', 'BFD'], rows)
}

function vnis(status: StatusDocument): string {
  if (status.vnis.length === 0) return ''
  const rows = status.vnis.map(({ vni, type, vrf, state, vteps, macs }) => [
    String(vni),
    type,
    vrf ?? '-',
    state,
    countText(vteps),
    countText(macs),
  ])
  return table(['VNI', 'TYPE', 'VRF', 'STATE', 'REMOTE VTEPS', 'MACS'], rows)
}

function hostSessions(status: StatusDocument): string {
  const { hostSessions: all } = status.addresses
  if (all.length === 0) return ''
  const rows = all.map(({ resource, vrf, router, host }) => [
    resource,
    vrf ?? 'default',
    router.join(', '),
    host.join(', '),
  ])
  return table(['HOST SESSION', 'VRF', 'ROUTER', 'HOST'], rows)
}

function countText(value: number | undefined): string {
  return value === undefined ? '-' : String(value)
}

/** `45s`, `3m10s`, `2h5m`, `4d1h`. */
export function ago(from: number, to: number): string {
  const seconds = Math.max(0, Math.round((to - from) / 1000))
  const pair = (large: number, unit: string, small: number, lesser: string): string =>
    small === 0 ? `${large}${unit}` : `${large}${unit}${small}${lesser}`
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'm', seconds % 60, 's')
  const hours = Math.floor(seconds / 3600)
  if (hours < 24) return pair(hours, 'h', Math.floor((seconds % 3600) / 60), 'm')
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h')
}
