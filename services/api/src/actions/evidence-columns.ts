import type { Evidence } from "@countersign/authority";
import type { ActionColumns, EvidenceColumns } from "../database/tables.ts";

/** The columns of a challenge's fields. */
export function actionColumns(fields: Omit<Evidence, "assertion">): ActionColumns {
  const { orgId, principalId, appId, method, path, payload, nonce, expiresAtMs } = fields;
  return {
    org_id: orgId,
    principal_id: principalId,
    app_id: appId,
    method,
    path,
    payload,
    nonce,
    expires_at: new Date(expiresAtMs),
  };
}

/** The fields of a challenge, read back. */
export function actionFields(columns: ActionColumns): Omit<Evidence, "assertion"> {
  return {
    orgId: columns.org_id,
    principalId: columns.principal_id,
    appId: columns.app_id,
    method: columns.method,
    path: columns.path,
    payload: columns.payload,
    nonce: new Uint8Array(columns.nonce),
    expiresAtMs: columns.expires_at.getTime(),
  };
}

/** The columns of evidence. */
export function evidenceColumns(evidence: Evidence): EvidenceColumns {
  const { kind, credId, clientData, signature } = evidence.assertion;
  return {
    ...actionColumns(evidence),
    credential_kind: kind,
    cred_id: credId,
    client_data: clientData,
    assertion_signature: signature,
  };
}

/** Evidence, read back; worth no more than what `authorize` finds in it. */
export function evidenceOf(columns: EvidenceColumns): Evidence {
  return {
    ...actionFields(columns),
    assertion: {
      kind: columns.credential_kind,
      credId: columns.cred_id,
      clientData: new Uint8Array(columns.client_data),
      signature: new Uint8Array(columns.assertion_signature),
    },
  };
}
