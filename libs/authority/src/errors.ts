import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of judging evidence and reading what it is judged by. */
export const authorityErrors = {
  evidence_malformed: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A field of the evidence is missing, too long or not of its form.",
  },
  client_data_malformed: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "The assertion's clientData is not strict JSON with the members an assertion needs.",
  },
  ceremony_unexpected: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning:
      "The assertion was made for another ceremony than the one a credential of this kind approves requests with.",
  },
  challenge_mismatch: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The signed challenge is not the action digest of this request.",
  },
  origin_unexpected: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The assertion names an origin that is not pinned for the application, or was made in a foreign frame.",
  },
  organisation_unknown: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The organisation is not in the state this node knows.",
  },
  application_unknown: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The application is not an active one of the organisation.",
  },
  principal_unknown: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The principal is not an active one of the organisation.",
  },
  credential_unknown: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The credential is not one of the organisation.",
  },
  credential_foreign: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The credential belongs to another principal than the evidence names.",
  },
  credential_inactive: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The credential was deactivated.",
  },
  credential_kind_mismatch: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The evidence names another kind of credential than the record of the credential.",
  },
  assertion_invalid: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The assertion's signature does not verify under the credential's public key.",
  },
  approval_expired: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The approval's validity has ended on this node's clock.",
  },
  approval_expiry_too_far: {
    kind: "refusal",
    http: 401,
    grpc: "UNAUTHENTICATED",
    meaning: "The approval's validity ends further ahead of this node's clock than any approval may.",
  },
  credential_unconfirmed: {
    kind: "refusal",
    http: 403,
    grpc: "PERMISSION_DENIED",
    meaning: "Nobody entitled has confirmed the credential's fingerprint yet.",
  },
  permission_missing: {
    kind: "refusal",
    http: 403,
    grpc: "PERMISSION_DENIED",
    meaning: "The principal lacks the permission that the operation needs.",
  },
  heads_differ: {
    kind: "refusal",
    http: 409,
    grpc: "FAILED_PRECONDITION",
    meaning: "The session names log heads that are not this node's.",
  },
  public_key_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A public key is not in its one encoding, not on its curve, or of small or mixed order.",
  },
  descriptor_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "The deployment descriptor lacks a field, has an unknown one, or its parts contradict each other.",
  },
} as const satisfies ErrorTable;

export const authorityError = errorsOf(authorityErrors);
