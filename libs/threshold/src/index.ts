export type { Curve, Point, Scalar } from "./curves/curve.ts";
export { ed25519 } from "./curves/ed25519.ts";
export { prepareCurves } from "./curves/prepare-curves.ts";
export { secp256k1 } from "./curves/secp256k1.ts";
export type {
  Delivery,
  IdentitySigner,
  MessageFacts,
  OpenSignedMessage,
  PartyIndex,
  Rng,
  SignedMessage,
  VerifyIdentity,
} from "./delivery.ts";
export { type AbortEvidence, ProtocolAbort, type ThresholdErrorCode, thresholdErrors } from "./errors.ts";
export type { Acknowledgement, KeyShare, PublicKeyPackage, SuiteName } from "./key-share.ts";
export { KeygenAbort } from "./keygen/abort.ts";
export {
  acknowledgementStatement,
  type Renunciation,
  renunciationStatement,
  verifyCertificate,
  verifyRenunciation,
} from "./keygen/acknowledgement.ts";
export { type ComplaintVerdict, judgeComplaint } from "./keygen/complaint.ts";
export { type GeneratedKey, generateKey, type KeygenOptions } from "./keygen/generate-key.ts";
export { judgeKeygen } from "./keygen/judge-messages.ts";
export {
  checkKeyShare,
  checkPublicPolynomial,
  type PublicKeyFacts,
  publicKeyPackage,
} from "./keygen/public-key-package.ts";
export { type KeygenRound, keygenRounds } from "./keygen/rounds.ts";
export {
  type KeygenMember,
  type KeygenTerms,
  type KeygenVerifiers,
  keygenSessionDigest,
  PARTIES_MAX,
} from "./keygen/terms.ts";
export { combineSchnorr, type SchnorrSignature } from "./schnorr/combine.ts";
export type { CombineOptions } from "./schnorr/combine-options.ts";
export { ITEMS_MAX, schnorrRounds } from "./schnorr/commitments.ts";
export { type Accusation, convicts, type SigningCase } from "./schnorr/convicts.ts";
export { type SignatureClaim, verifyBip340, verifySignature } from "./schnorr/gate.ts";
export { lagrangeCoefficient } from "./schnorr/lagrange.ts";
export type { SchnorrPartial, SignedShare } from "./schnorr/partial.ts";
export { type SignOptions, signSchnorr } from "./schnorr/sign.ts";
export { outputKey, publishedKey, type SchnorrItem } from "./schnorr/signing-key.ts";
export { type SessionFacts, sessionDigest } from "./session-digest.ts";
export { type Suite, suiteOf } from "./suites.ts";
export { T } from "./transcript.ts";
