import { CountersignError, type ErrorDetails, type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of the client. Errors of the API keep the API's own code where it sent one. */
export const sdkErrors = {
  api_refused: {
    kind: "refusal",
    http: 400,
    grpc: "FAILED_PRECONDITION",
    meaning: "The API refused the request without naming a code.",
  },
  api_unavailable: {
    kind: "outage",
    http: 503,
    grpc: "UNAVAILABLE",
    meaning: "The API could not be reached, or answered that it cannot serve now.",
  },
  api_deadline: {
    kind: "outage",
    http: 504,
    grpc: "DEADLINE_EXCEEDED",
    meaning: "The API did not answer within the call's time.",
  },
  api_call_cancelled: {
    kind: "outage",
    http: 499,
    grpc: "CANCELLED",
    meaning: "The caller cancelled the call.",
  },
  api_answer_invalid: {
    kind: "abort",
    http: 502,
    grpc: "INTERNAL",
    meaning: "The API's answer is not JSON of the expected form, is too long, or contradicts what was approved.",
  },
  approval_pending: {
    kind: "refusal",
    http: 202,
    grpc: "FAILED_PRECONDITION",
    meaning: "The request waits for the approval of others.",
  },
  challenge_refused: {
    kind: "abort",
    http: 502,
    grpc: "PERMISSION_DENIED",
    meaning: "The API asked to sign something else than the request being sent; the private key was not used.",
  },
  key_certificate_refused: {
    kind: "abort",
    http: 502,
    grpc: "PERMISSION_DENIED",
    meaning:
      "The API answered a public key that the pinned nodes did not all acknowledge as it is; nothing may go there.",
  },
  deployment_unpinned: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A client was made without the deployment descriptor and without saying that it trusts the API instead.",
  },
  deployment_id_differs: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A client was made with a deployment id and the deployment descriptor of another deployment.",
  },
  request_path_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "The path is not one that goes to the API unchanged.",
  },
  signer_key_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "The private key is not the PEM of an Ed25519 or P-256 key.",
  },
} as const satisfies ErrorTable;

export const sdkError = errorsOf(sdkErrors);

/** An error answer of the API. `code` is the API's own where it sent one, `http` its status. */
export class ApiError extends CountersignError {
  constructor(status: number, answer: { code?: string | undefined; message: string; details: ErrorDetails }) {
    const fallback = isOutage(status) ? "api_unavailable" : "api_refused";
    const entry = { ...sdkErrors[fallback], http: status };
    super(answer.code ?? fallback, entry, answer.message, { details: answer.details });
    this.name = "ApiError";
  }
}

/** Too many requests and everything the server blames on itself may pass with time. */
function isOutage(status: number): boolean {
  return status === 429 || status >= 500;
}
