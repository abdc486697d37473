import { randomBytes } from "node:crypto";
import { type ActionFields, actionDigest, type Evidence } from "@countersign/authority";
import { base64url } from "@countersign/bytes";
import type { ActionSigner } from "./key-signer.ts";

/** What the API issues; a minute under what signers take, for clocks that differ. */
const VALIDITY_MS = 4 * 60_000;

/** What is approved. `nonce` defaults to 32 random bytes, `expiresAtMs` to four minutes from now. */
export type ApprovedFields = Omit<ActionFields, "nonce" | "expiresAtMs"> & Partial<ActionFields>;

/**
 * Approves a request without an API in between: evidence as signers judge it. For tools that hold both the credential and a
 * way to the network, and for tests.
 */
export async function approve(fields: ApprovedFields, signer: ActionSigner): Promise<Evidence> {
  const { deploymentId, nonce = new Uint8Array(randomBytes(32)), expiresAtMs = Date.now() + VALIDITY_MS } = fields;
  const { orgId, principalId, appId, method, path, payload } = fields;
  const approved = { orgId, principalId, appId, method, path, payload, nonce, expiresAtMs };
  const { clientData, signature } = await signer.sign(base64url(actionDigest({ ...approved, deploymentId })));
  return { ...approved, assertion: { kind: "Key", credId: signer.credId, clientData, signature } };
}
