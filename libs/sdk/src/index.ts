export type { Key, Page, Signature, SignatureValue } from "./answers.ts";
export { type ApprovedFields, approve } from "./approve.ts";
export { type OutgoingRequest, type Pins, type VerifiedChallenge, verifyChallenge } from "./challenge.ts";
export { type CallOptions, type ClientOptions, CountersignClient, type PageQuery, TRUST_API } from "./client.ts";
export { ApiError, sdkErrors } from "./errors.ts";
export { type ActionSigner, type KeyAssertion, KeySigner } from "./key-signer.ts";
