export { base64url, decodeBase64url } from "./base64url.ts";
export { concatBytes, equalBytes, sha256, u16be, u32be, u64be, wipe } from "./bytes.ts";
export { encodingErrors } from "./errors.ts";
export { decodeHex, decodeHexBytes, decodePrefixedHex, hex, prefixedHex } from "./hex.ts";
export { type JsonLimits, type JsonValue, parseJson } from "./json.ts";
export { JsonMembers, type Refuse, type TextRules } from "./json-members.ts";
export { LP, lengthPrefixed } from "./length-prefixed.ts";
export { Secret } from "./secret.ts";
export { decodeUtf8, utf8 } from "./utf8.ts";
