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
export { type CombineEcdsaOptions, combineEcdsa } from "./ecdsa/combine.ts";
export { type DerivedKey, deriveKey } from "./ecdsa/derivation.ts";
export { type AbortClass, ecdsaAbortClasses } from "./ecdsa/failures.ts";
export { ecdsaRounds } from "./ecdsa/rounds.ts";
export { type SignEcdsaOptions, signEcdsa } from "./ecdsa/sign.ts";
export { DIGESTS_MAX, type EcdsaTerms, ecdsaKeyContext } from "./ecdsa/signing-session.ts";
export { type EcdsaSignature, verifyEcdsa } from "./ecdsa/verify.ts";
export { type AbortEvidence, ProtocolAbort, type ThresholdErrorCode, thresholdErrors } from "./errors.ts";
export type {
  Acknowledgement,
  EcdsaSuiteName,
  KeyShare,
  PublicKeyPackage,
  SchnorrSuiteName,
  SuiteName,
} from "./key-share.ts";
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
export type { LinkClaims } from "./keygen/link-confirmation.ts";
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
export {
  confirmsLink,
  type EstablishedLink,
  type EstablishLinkOptions,
  establishLink,
  type LinkMember,
  type LinkTerms,
  linkRounds,
} from "./links/establish-link.ts";
export { Link, type LinkFingerprints } from "./links/link.ts";
export { type BanReason, type LinkGate, type LinkStatusStore, linkGate } from "./links/link-gate.ts";
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
export { type KeySuite, keySuiteOf, type Suite, suiteOf } from "./suites.ts";
export { T } from "./transcript.ts";
