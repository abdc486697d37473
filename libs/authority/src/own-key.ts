import type { Approval } from "./authorize.ts";
import { authorityError } from "./errors.ts";

/**
 * Refuses an approval of one organisation for a key of another (threat model 5.3, step 7); raises `key_foreign`. The owner is
 * read from the node's own key record.
 */
export function requireOwnKey(approval: Approval, key: { readonly keyId: string; readonly orgId: string }): void {
  if (key.orgId !== approval.orgId) throw authorityError("key_foreign", `${approval.orgId} has no key ${key.keyId}.`);
}
