import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { equalBytes } from "@countersign/bytes";

/**
 * Decodes a protobuf message from strangers' bytes; undefined unless the bytes are exactly what encoding the result gives. So
 * every message has one spelling: no unknown fields, no second order, no repeated or default fields written out.
 */
export function decodeStrict<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> | undefined {
  let message: MessageShape<Desc>;
  try {
    message = fromBinary(schema, bytes, { readUnknownFields: false });
  } catch {
    // Whatever cannot be decoded is a stranger's bytes: the caller counts and drops it.
    return undefined;
  }
  return equalBytes(toBinary(schema, message), bytes) ? message : undefined;
}
