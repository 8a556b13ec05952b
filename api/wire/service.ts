/**
 * The service of distribution.proto for @grpc/grpc-js: protobuf-es has the messages and the descriptor, grpc-js wants
 * paths and codecs.
 *
 *     new Client(address, credentials, options)
 *       .makeBidiStreamRequest(connect.path, connect.requestSerialize, connect.responseDeserialize, metadata)
 */
import {
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type MessageShape,
} from '@bufbuild/protobuf'
import type { MethodDefinition } from '@grpc/grpc-js'
import { Distribution, type AgentMessage, type ControllerMessage } from './generated/distribution_pb.ts'

/** Version of the plan's JSON that this build speaks: Hello.plan_versions. */
export const PLAN_VERSION = 'v1alpha1'

/** Trailer of UNAVAILABLE: ADDRESS:PORT of the replica that leads. */
export const LEADER_TRAILER = 'nodeleaf-leader'

export const connect: MethodDefinition<AgentMessage, ControllerMessage> = bidirectional(Distribution.method.connect)

function bidirectional<Input extends DescMessage, Output extends DescMessage>(
  method: DescMethodBiDiStreaming<Input, Output>,
): MethodDefinition<MessageShape<Input>, MessageShape<Output>> {
  const request = codec(method.input)
  const response = codec(method.output)
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: request.serialize,
    requestDeserialize: request.deserialize,
    responseSerialize: response.serialize,
    responseDeserialize: response.deserialize,
  }
}

function codec<Message extends DescMessage>(message: Message) {
  return {
    serialize(value: MessageShape<Message>): Buffer {
      const bytes = toBinary(message, value)
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    },
    deserialize: (bytes: Buffer): MessageShape<Message> => fromBinary(message, bytes),
  }
}
