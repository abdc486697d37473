import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ACCESS_TOKEN_TYPE, accessTokenClaims, randomId, tokenHeader } from "@countersign/authority";
import { decodeJwt, SignJWT } from "jose";
import { writeFileAtomic } from "../write-file.ts";
import type { Deployment } from "./deployment.ts";

const DAY_SECONDS = 86_400;
/** A token lets its holder read; a month spares the user of a local network from renewing it while he tries things. */
const LIFE_SECONDS = 30 * DAY_SECONDS;
/** A token with less left is replaced when somebody asks for it. */
const LEFT_SECONDS_MIN = 15 * DAY_SECONDS;

/** The service account's bearer token: the one in the data folder while it has two weeks left, else a new one. */
export async function adminToken(deployment: Deployment, nowMs: number): Promise<string> {
  const { folder, orgId, principalId, descriptor } = deployment;
  const now = Math.floor(nowMs / 1_000);
  const kept = await readFile(folder.admin.token, "utf8").catch(() => undefined);
  if (kept !== undefined && (expiry(kept) ?? 0) - now > LEFT_SECONDS_MIN) return kept.trim();
  const key = createPrivateKey(await readFile(folder.api.tokenKey, "utf8"));
  const spki = new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }));
  const tokenId = randomId("to", new Uint8Array(randomBytes(26)));
  const holder = { deploymentId: descriptor.deploymentId, orgId, principalId, tokenId };
  const token = await new SignJWT({ ...accessTokenClaims(holder, { issuedAt: now, lifetimeSeconds: LIFE_SECONDS }) })
    .setProtectedHeader(tokenHeader(ACCESS_TOKEN_TYPE, spki))
    .sign(key);
  await writeFileAtomic(folder.admin.token, `${token}\n`);
  return token;
}

function expiry(token: string): number | undefined {
  try {
    return decodeJwt(token.trim()).exp;
  } catch {
    // Not a token: it is replaced.
    return undefined;
  }
}
