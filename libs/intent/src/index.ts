export { deriveCredentialId, deriveId, type IdKind, isDerivedId } from "./derive-id.ts";
export { intentErrors } from "./errors.ts";
export {
  type CreateKey,
  type HashBody,
  type Intent,
  KEY_SCHEMES,
  type KeyPurpose,
  type KeyScheme,
  type MessageBody,
  type Sign,
  type SignatureBody,
} from "./intent.ts";
export { interpret, keyScheme, type SignItem, type SigningKey } from "./interpret.ts";
export { type ApprovedRequest, intentOf, parsePayload, readIntent } from "./read-intent.ts";
export { MESSAGE_BYTES_MAX, readSignatureBody } from "./signature-body.ts";
