import { decodeUtf8, JsonMembers } from "@countersign/bytes";
import type { CountersignError } from "@countersign/errors";
import { authorityError } from "./errors.ts";

/** The members of clientData that anything depends on. */
export interface ClientData {
  /** Ceremony, for example `key.get`. */
  readonly type: string;
  /** The signed challenge, as text. */
  readonly challenge: string;
  /** Origin, where the client named one. */
  readonly origin?: string;
  /** Whether the assertion was made in a frame of another origin. False when the client said nothing. */
  readonly crossOrigin: boolean;
}

/** As long as any origin a browser sends. */
const ORIGIN_LENGTH_MAX = 2_048;

/**
 * Reads clientData from the bytes that were signed. Members it does not know are allowed, because browsers add some;
 * duplicate ones are refused, because two parsers could pick different ones. Raises `client_data_malformed` and
 * `encoding_invalid`.
 */
export function readClientData(bytes: Uint8Array): ClientData {
  const members = JsonMembers.parse(decodeUtf8(bytes, "clientData"), "clientData", malformed);
  const type = members.text("type", { lengthMax: 64 });
  const challenge = members.text("challenge", { lengthMax: 256 });
  const origin = members.optionalText("origin", { lengthMax: ORIGIN_LENGTH_MAX });
  const crossOrigin = members.has("crossOrigin") ? members.value("crossOrigin") : false;
  if (typeof crossOrigin !== "boolean") throw malformed("clientData.crossOrigin is not a boolean.");
  return { type, challenge, crossOrigin, ...(origin === undefined ? {} : { origin }) };
}

function malformed(sentence: string): CountersignError {
  return authorityError("client_data_malformed", sentence);
}
