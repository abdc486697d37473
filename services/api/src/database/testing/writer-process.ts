// A process that opens the database of a URL, stores challenges one by one, says each id once it is committed, and waits to be killed.
import { Database } from "../database.ts";

const [url = "", orgId = ""] = process.argv.slice(2);
const database = await Database.open(url);
for (let count = 0; ; count++) {
  const id = `challenge-${count}`;
  const row = {
    org_id: orgId,
    id,
    principal_id: "us-1",
    app_id: "ap-1",
    method: "POST",
    path: "/keys",
    payload: "x".repeat(count % 5_000),
    nonce: new Uint8Array(32),
    expires_at: new Date(),
  };
  await database.inOrganisation(orgId, (transaction) => transaction.insertInto("challenges").values(row).execute());
  process.stdout.write(`${id}\n`);
}
