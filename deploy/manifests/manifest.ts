/** Kubernetes objects as they are written, as far as the checks look into them. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: unknown
  readonly [field: string]: unknown
}

export interface Workload extends Manifest {
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: PodSpec
    }
  }
}

export interface PodSpec {
  readonly serviceAccountName?: string
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes?: readonly Volume[]
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly volumeMounts?: readonly {
    readonly name: string
    readonly mountPath: string
    readonly mountPropagation?: string
  }[]
  readonly securityContext?: {
    readonly privileged?: boolean
    readonly readOnlyRootFilesystem?: boolean
    readonly allowPrivilegeEscalation?: boolean
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] }
  }
  readonly resources?: { readonly requests?: object; readonly limits?: object }
  readonly [probe: `${string}Probe`]: { readonly httpGet?: { readonly port: string } } | undefined
}

export interface Volume {
  readonly name: string
  readonly configMap?: { readonly name: string; readonly optional?: boolean }
  readonly secret?: { readonly secretName: string }
  readonly [type: string]: unknown
}

const workloadKinds = new Set(['Deployment', 'DaemonSet', 'StatefulSet', 'Job'])

export function workloads(objects: readonly Manifest[]): readonly Workload[] {
  return objects.filter((object): object is Workload => workloadKinds.has(object.kind))
}

export function containersOf({ spec }: Workload): readonly Container[] {
  return [...(spec.template.spec.initContainers ?? []), ...spec.template.spec.containers]
}

/** `Role nodeleaf-controller`, for messages. */
export const titleOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`
