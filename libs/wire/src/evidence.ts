import { create } from "@bufbuild/protobuf";
import type { Evidence } from "@countersign/authority";
import { EvidenceSchema, type Evidence as WireEvidence } from "@countersign/proto/evidence";
import { present, safeInteger } from "./fields.ts";

/** Reads evidence; `authorize` judges its contents. Raises `message_malformed`. */
export function evidenceFromWire(message: WireEvidence | undefined): Evidence {
  const { orgId, principalId, appId, method, path, payload, nonce, expiresAtMs, assertion } = present(
    message,
    "evidence",
  );
  const { kind, credId, clientData, signature } = present(assertion, "evidence.assertion");
  return {
    orgId,
    principalId,
    appId,
    method,
    path,
    payload,
    nonce,
    expiresAtMs: safeInteger(expiresAtMs, "evidence.expires_at_ms"),
    assertion: { kind, credId, clientData, signature },
  };
}

/** Writes evidence. */
export function evidenceToWire(evidence: Evidence): WireEvidence {
  return create(EvidenceSchema, { ...evidence, expiresAtMs: BigInt(evidence.expiresAtMs) });
}
