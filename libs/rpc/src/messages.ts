import {
  create,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { CountersignError } from "@countersign/errors";
import { requireFewElements } from "./element-bound.ts";
import { rpcError } from "./errors.ts";

/** Encodes a message. Raises `rpc_too_large`. */
export function encodeMessage<M extends DescMessage>(type: M, message: MessageInitShape<M>, bytesMax: number): Buffer {
  const bytes = toBinary(type, create(type, message));
  if (bytes.length > bytesMax)
    throw rpcError("rpc_too_large", `${type.typeName} is ${bytes.length} bytes, at most ${bytesMax} are allowed.`, {
      details: { bytes: bytes.length, bytesMax },
    });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Decodes a message; its byte fields are plain `Uint8Array`s. Raises `rpc_malformed` and, for one with too many elements, `rpc_too_large`. */
export function decodeMessage(type: DescMessage, buffer: Buffer): Message {
  // protobuf-es slices byte fields out of its input, and a slice of a Buffer is a Buffer.
  const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  try {
    // Before decoding, which would create everything that the count refuses.
    requireFewElements(type, bytes);
    return fromBinary(type, bytes, { readUnknownFields: false });
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    throw rpcError("rpc_malformed", `The bytes received are not a ${type.typeName}.`, { cause });
  }
}

/**
 * Decodes a request, which may be anybody's: it must be exactly what encoding the result gives, as on the mesh. So a request has one
 * spelling, and no field that one reader drops and another obeys. Raises what `decodeMessage` raises; costs one encoding more.
 */
export function decodeRequest(type: DescMessage, buffer: Buffer): Message {
  const message = decodeMessage(type, buffer);
  if (!buffer.equals(toBinary(type, message)))
    throw rpcError("rpc_malformed", `A ${type.typeName} has unknown, repeated or default fields, or another order.`);
  return message;
}

/** Stands where grpc-js wants a codec: it moves bytes, so that we decide how a bad message is answered. */
export function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}
