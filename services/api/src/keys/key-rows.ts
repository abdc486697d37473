import type { SigningKey } from "@countersign/intent";
import type { Selectable } from "kysely";
import { Compile } from "typebox/compile";
import type { OrganisationTransaction } from "../database/database.ts";
import type { KeyRow } from "../database/tables.ts";
import { apiError } from "../errors.ts";
import { type Page, type PageQuery, pageOf, readPageToken } from "../pages.ts";
import { Certificate, type Key } from "./key-schema.ts";

type Row = Selectable<KeyRow>;

const certificateForm = Compile(Certificate);

/** The key of this id; one of another organisation is as unknown as one that never was. Raises `key_unknown`. */
export async function requireKey(transaction: OrganisationTransaction, orgId: string, keyId: string): Promise<Row> {
  const row = await transaction
    .selectFrom("keys")
    .selectAll()
    .where("org_id", "=", orgId)
    .where("id", "=", keyId)
    .executeTakeFirst();
  if (row === undefined) throw apiError("key_unknown", "key not found", { details: { keyId, orgId } });
  return row;
}

/** What the meaning of a request may depend on. */
export function signingKey({ id, suite, purpose }: Row): SigningKey {
  return { keyId: id, suite, purpose };
}

/** An organisation's keys, newest first. */
export async function listKeys(
  transaction: OrganisationTransaction,
  orgId: string,
  query: PageQuery,
): Promise<Page<Key>> {
  const list = { name: "keys", orgId };
  const after = readPageToken(list, query.paginationToken);
  let keys = transaction.selectFrom("keys").selectAll().where("org_id", "=", orgId);
  if (after !== undefined)
    keys = keys.where(({ eb, refTuple, tuple }) =>
      eb(refTuple("created_at", "id"), "<", tuple(new Date(after.timeMs), after.id)),
    );
  const rows = await keys
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .limit(query.limit + 1)
    .execute();
  const { items, nextPageToken } = pageOf(list, rows, query.limit, ({ created_at, id }) => ({
    timeMs: created_at.getTime(),
    id,
  }));
  return { items: items.map(keyAnswer), ...(nextPageToken === undefined ? {} : { nextPageToken }) };
}

/** A key as the reference answers it, with what proves it. */
export function keyAnswer(row: Row): Key {
  if (!certificateForm.Check(row.certificate))
    throw apiError("api_internal", `Key ${row.id} has no readable certificate.`);
  return {
    id: row.id,
    scheme: row.scheme,
    curve: row.curve,
    publicKey: row.public_key,
    ...(row.name === null ? {} : { name: row.name }),
    status: row.status,
    custodial: true,
    dateCreated: row.created_at.toISOString(),
    countersign: {
      certificate: row.certificate,
      ...(row.internal_public_key === null ? {} : { internalPublicKey: row.internal_public_key }),
    },
  };
}
