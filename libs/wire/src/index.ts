export { wireErrors } from "./errors.ts";
export { evidenceFromWire, evidenceToWire } from "./evidence.ts";
export { fixedBytes } from "./fields.ts";
export { type CertifiedKey, certificateFromWire, certificateToWire, keyFromWire, keyToWire } from "./key.ts";
export { partialFromWire, partialToWire } from "./partial.ts";
export { type Session, sessionFromWire, sessionToWire } from "./session.ts";
