import type { ColumnType, Generated } from "kysely";

/** The tables as the serving role sees them; `migrations` is their source. */
export interface Tables {
  readonly challenges: ChallengeRow;
  readonly user_actions: UserActionRow;
  readonly key_creations: KeyCreationRow;
  readonly keys: KeyRow;
  readonly signatures: SignatureRow;
}

/** What a challenge commits to: the fields of C but the deployment. */
export interface ActionColumns {
  org_id: string;
  principal_id: string;
  app_id: string;
  method: string;
  path: string;
  payload: string;
  nonce: Uint8Array;
  expires_at: Date;
}

/** The assertion over it. */
export interface EvidenceColumns extends ActionColumns {
  credential_kind: string;
  cred_id: string;
  client_data: Uint8Array;
  assertion_signature: Uint8Array;
}

export interface ChallengeRow extends ActionColumns {
  id: string;
}

export interface UserActionRow extends EvidenceColumns {
  id: string;
}

export interface KeyCreationRow extends EvidenceColumns {
  key_id: string;
}

/** JSON columns go in as text and come out parsed; whoever reads one checks its form. */
export interface KeyRow {
  org_id: string;
  id: string;
  scheme: string;
  curve: string;
  suite: string;
  purpose: string;
  public_key: string;
  internal_public_key: string | null;
  name: string | null;
  status: "Active" | "Archived";
  certificate: ColumnType<unknown, string, string>;
  created_at: Date;
}

export interface SignatureRow {
  org_id: string;
  id: string;
  key_id: string;
  principal_id: string;
  token_id: string;
  payload: string;
  external_id: string | null;
  status: "Executing" | "Signed" | "Failed";
  reason: Generated<string | null>;
  signatures: ColumnType<unknown, string | undefined, string>;
  requested_at: Date;
  deadline_at: Date;
  signed_at: Generated<Date | null>;
}
