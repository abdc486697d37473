import { type ErrorTable, errorsOf } from "@countersign/errors";

/** Codes of strict decoding. */
export const encodingErrors = {
  encoding_invalid: {
    kind: "refusal",
    http: 400,
    grpc: "INVALID_ARGUMENT",
    meaning: "A value is not in the one encoding its field allows (hex, base64url, UTF-8, JSON).",
  },
} as const satisfies ErrorTable;

export const encodingError = errorsOf(encodingErrors);
