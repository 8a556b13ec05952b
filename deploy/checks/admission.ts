/** What an API server refuses in a Pod though its fields are right, and what nodeleaf asks of its own pods. */
import { containersOf, titleOf, workloads, type Container, type Manifest } from '../manifests/manifest.ts'

/** One line for each container that would be refused, or has more than it needs. */
export function refusals(objects: readonly Manifest[]): readonly string[] {
  return workloads(objects).flatMap((workload) =>
    containersOf(workload).flatMap((container) =>
      inContainer(container).map((problem) => `${titleOf(workload)}/${container.name} ${problem}`),
    ),
  )
}

function inContainer(container: Container): readonly string[] {
  const { securityContext: context = {}, volumeMounts = [], resources = {} } = container
  const privileged = context.privileged === true
  return [
    // kubernetes/pkg/apis/core/validation, validateMountPropagation.
    ...(volumeMounts.some(({ mountPropagation }) => mountPropagation === 'Bidirectional') && !privileged
      ? ['mounts Bidirectional, which only a privileged container may']
      : []),
    ...(privileged && context.allowPrivilegeEscalation === false
      ? ['is privileged and may not be: contradiction']
      : []),
    ...(!privileged && context.capabilities?.drop?.join() !== 'ALL' ? ['does not drop all capabilities first'] : []),
    ...(!privileged && context.allowPrivilegeEscalation !== false ? ['may gain privileges'] : []),
    ...(context.readOnlyRootFilesystem === true ? [] : ['has a root file system that it can write to']),
    ...(resources.requests === undefined ? ['asks for no resources'] : []),
    ...(/:[\w][\w.-]*$|@sha256:/.test(container.image) ? [] : ['has an image without a tag']),
    ...(container.image.endsWith(':latest') ? ['has an image that changes'] : []),
  ]
}
