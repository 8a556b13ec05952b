/** What every object's metadata is made of. */
import type { Schema } from './schema.ts'

const text: Schema = { type: 'string' }
const texts: Schema = { type: 'object', additionalProperties: text }
const number: Schema = { type: 'integer' }
const flag: Schema = { type: 'boolean' }

export const metadataSchema: Schema = {
  type: 'object',
  properties: {
    name: text,
    generateName: text,
    namespace: text,
    uid: text,
    resourceVersion: text,
    generation: number,
    creationTimestamp: { type: 'string', nullable: true },
    deletionTimestamp: { type: 'string', nullable: true },
    deletionGracePeriodSeconds: { type: 'integer', nullable: true },
    selfLink: text,
    labels: { ...texts, nullable: true },
    annotations: { ...texts, nullable: true },
    finalizers: { type: 'array', items: text, 'x-kubernetes-list-type': 'set', nullable: true },
    ownerReferences: {
      type: 'array',
      nullable: true,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['uid'],
      items: {
        type: 'object',
        'x-kubernetes-map-type': 'atomic',
        required: ['apiVersion', 'kind', 'name', 'uid'],
        properties: { apiVersion: text, kind: text, name: text, uid: text, controller: flag, blockOwnerDeletion: flag },
      },
    },
    managedFields: { type: 'array', nullable: true },
  },
}
