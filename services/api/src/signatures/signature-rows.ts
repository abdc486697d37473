import { parseJson } from "@countersign/bytes";
import type { Selectable } from "kysely";
import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import type { OrganisationTransaction } from "../database/database.ts";
import type { SignatureRow } from "../database/tables.ts";
import { apiError } from "../errors.ts";
import { type Page, type PageQuery, pageOf, readPageToken } from "../pages.ts";
import { type Signature, SignatureValue } from "./signature-schema.ts";

/** A row as it is read. */
export type StoredSignature = Selectable<SignatureRow>;

/** One per item that the approval signs, never none. */
const Values = Type.Array(SignatureValue, { minItems: 1 });
const valuesForm = Compile(Values);

/** One signature of a key. Raises `signature_unknown`. */
export async function requireSignature(
  transaction: OrganisationTransaction,
  { orgId, keyId, signatureId }: { orgId: string; keyId: string; signatureId: string },
): Promise<StoredSignature> {
  const row = await transaction
    .selectFrom("signatures")
    .selectAll()
    .where("org_id", "=", orgId)
    .where("key_id", "=", keyId)
    .where("id", "=", signatureId)
    .executeTakeFirst();
  if (row === undefined)
    throw apiError("signature_unknown", "signature not found", { details: { signatureId, keyId, orgId } });
  return row;
}

/** A key's signatures, newest first. */
export async function listSignatures(
  transaction: OrganisationTransaction,
  { orgId, keyId }: { orgId: string; keyId: string },
  query: PageQuery,
): Promise<Page<Signature>> {
  const list = { name: `signatures/${keyId}`, orgId };
  const after = readPageToken(list, query.paginationToken);
  let signatures = transaction
    .selectFrom("signatures")
    .selectAll()
    .where("org_id", "=", orgId)
    .where("key_id", "=", keyId);
  if (after !== undefined)
    signatures = signatures.where(({ eb, refTuple, tuple }) =>
      eb(refTuple("requested_at", "id"), "<", tuple(new Date(after.timeMs), after.id)),
    );
  const rows = await signatures
    .orderBy("requested_at", "desc")
    .orderBy("id", "desc")
    .limit(query.limit + 1)
    .execute();
  const { items, nextPageToken } = pageOf(list, rows, query.limit, ({ requested_at, id }) => ({
    timeMs: requested_at.getTime(),
    id,
  }));
  return { items: items.map(signatureAnswer), ...(nextPageToken === undefined ? {} : { nextPageToken }) };
}

/** A signature as the reference answers it. */
export function signatureAnswer(row: StoredSignature): Signature {
  const requestBody = parseJson(row.payload, "payload");
  const network = memberOf(requestBody, "network");
  return {
    id: row.id,
    keyId: row.key_id,
    requester: { userId: row.principal_id, tokenId: row.token_id },
    requestBody,
    status: row.status,
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...valuesOf(row),
    ...(typeof network === "string" ? { network } : {}),
    dateRequested: row.requested_at.toISOString(),
    ...(row.signed_at === null ? {} : { dateSigned: row.signed_at.toISOString() }),
    ...(row.external_id === null ? {} : { externalId: row.external_id }),
  };
}

/** A request that signs one thing has `signature`, one that signs several has `signatures` (reference, section 3.4). */
function valuesOf({ id, signatures }: StoredSignature): Pick<Signature, "signature" | "signatures"> {
  if (signatures === null) return {};
  if (!valuesForm.Check(signatures)) throw apiError("api_internal", `Signature ${id} has no readable values.`);
  const [only, ...more]: Static<typeof Values> = signatures;
  return more.length === 0 && only !== undefined ? { signature: only } : { signatures };
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value ? Reflect.get(value, name) : undefined;
}
