import { rpcError } from "./errors.ts";

/** What a service is in the deployment; decides what it may call. */
export type Role = (typeof ROLES)[number];

const ROLES = ["api", "orchestrator", "signer", "operator"] as const;

/** Who a certificate says its holder is. */
export interface Identity {
  readonly deploymentId: string;
  readonly role: Role;
  /** Name within the role, for a signer its node id. */
  readonly name: string;
}

/** Whom a client expects: one service by its name, or any of a role where replicas stand behind one address. */
export type ExpectedIdentity = Omit<Identity, "name"> & { readonly name?: string };

/** Room for a UUID or a host name, in characters that no quoting rule of a certificate touches. */
const PART = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}";
const URI = new RegExp(`^countersign://(${PART})/(${ROLES.join("|")})/(${PART})$`);

/** Writes the identity as the URI that stands in its certificate's subject alternative name. Raises `rpc_certificate_invalid`. */
export function identityUri(identity: Identity): string {
  const uri = `countersign://${identity.deploymentId}/${identity.role}/${identity.name}`;
  if (parseIdentityUri(uri) === undefined)
    throw rpcError("rpc_certificate_invalid", `${JSON.stringify(uri)} is not an identity a certificate can carry.`);
  return uri;
}

/** Reads an identity URI; undefined when it is not exactly one. */
export function parseIdentityUri(uri: string): Identity | undefined {
  const [, deploymentId, role, name] = URI.exec(uri) ?? [];
  const known = ROLES.find((candidate) => candidate === role);
  if (deploymentId === undefined || known === undefined || name === undefined) return undefined;
  return { deploymentId, role: known, name };
}

/**
 * Finds the one identity in a subject alternative name as node:tls prints it; undefined when there is none or more than one.
 * Node quotes entries that contain separators, so that a DNS name cannot pretend to be a URI; an identity never needs quotes,
 * and a name with any is refused as a whole.
 */
export function identityOf(subjectAlternativeName: string | undefined): Identity | undefined {
  if (subjectAlternativeName === undefined || subjectAlternativeName.includes('"')) return undefined;
  const uris = subjectAlternativeName.split(", ").filter((entry) => entry.startsWith("URI:countersign:"));
  const [only, ...more] = uris;
  return only === undefined || more.length > 0 ? undefined : parseIdentityUri(only.slice("URI:".length));
}

/** Whether an identity is the expected service of the expected deployment. */
export function isExpected(found: Identity, expected: ExpectedIdentity): boolean {
  const { deploymentId, role, name = found.name } = expected;
  return found.deploymentId === deploymentId && found.role === role && found.name === name;
}
