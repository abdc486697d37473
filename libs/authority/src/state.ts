import { lengthPrefixed, sha256 } from "@countersign/bytes";
import { deriveCredentialId, deriveId } from "@countersign/intent";
import { type CredentialKey, defaultCredId } from "./credential-key.ts";
import type { Descriptor } from "./descriptor.ts";

/** Who may do what, as one node knows it. Data only; a change makes a new state. */
export interface AuthorityState {
  readonly deploymentId: string;
  /** Head of the deployment log, 32 bytes. */
  readonly deploymentHead: Uint8Array;
  /** By organisation id. */
  readonly organisations: ReadonlyMap<string, Organisation>;
}

/** A tenant. */
export interface Organisation {
  readonly orgId: string;
  /** Head of the organisation's log, 32 bytes. */
  readonly head: Uint8Array;
  /** By application id. */
  readonly applications: ReadonlyMap<string, Application>;
  /** By principal id. */
  readonly principals: ReadonlyMap<string, Principal>;
  /** By credential id as clients know it. */
  readonly credentials: ReadonlyMap<string, Credential>;
}

/** What requests are made through. */
export interface Application {
  readonly appId: string;
  readonly active: boolean;
  /** Exact origins that a browser may name; empty: none is pinned, and any is let through for raw keys. */
  readonly origins: readonly string[];
}

/** A user, service account or token that acts. */
export interface Principal {
  readonly principalId: string;
  readonly active: boolean;
  /** Operations it may approve. */
  readonly permissions: "all" | ReadonlySet<string>;
}

/** A key that approves for its principal. */
export interface Credential {
  readonly credId: string;
  /** Derived id. */
  readonly credentialUuid: string;
  readonly principalId: string;
  readonly kind: "Key";
  readonly key: CredentialKey;
  readonly active: boolean;
  /** False until somebody entitled named its fingerprint; such a credential approves nothing. */
  readonly confirmed: boolean;
}

/** The ids of what a descriptor brings into being. */
export interface GenesisIds {
  /** Kind `organisation`. */
  readonly orgId: string;
  /** Kind `service-account`: the first administrator. */
  readonly principalId: string;
  /** Kind `application`: the organisation's default application. */
  readonly appId: string;
  /** Credential id as clients send it: base64url SHA-256 of the SPKI DER. */
  readonly credId: string;
  readonly credentialUuid: string;
  /** Hex SHA-256 of the SPKI DER. */
  readonly fingerprint: string;
}

/** The state that a descriptor alone makes: one organisation, whose service account may do everything. */
export function apply(descriptor: Descriptor): AuthorityState {
  const { deploymentId, organisation, hash } = descriptor;
  const { orgId, principalId, appId, credId, credentialUuid } = genesisIds(descriptor);
  const key = organisation.credentialKey;
  const first: Organisation = {
    orgId,
    head: hash,
    applications: new Map([[appId, { appId, active: true, origins: [] }]]),
    principals: new Map([[principalId, { principalId, active: true, permissions: "all" }]]),
    // Whoever wrote the descriptor named this key, so it is confirmed from the start.
    credentials: new Map([
      [credId, { credId, credentialUuid, principalId, kind: "Key", key, active: true, confirmed: true }],
    ]),
  };
  return { deploymentId, deploymentHead: hash, organisations: new Map([[orgId, first]]) };
}

/** Ids of a descriptor's own organisation (architecture 6): derived from a C that no request can have. */
export function genesisIds({ deploymentId, organisation }: Descriptor): GenesisIds {
  const { spki, fingerprint } = organisation.credentialKey;
  const c = sha256(lengthPrefixed("countersign/genesis/v1", deploymentId, spki));
  const orgId = deriveId("organisation", c, 0);
  const principalId = deriveId("service-account", c, 0);
  return {
    orgId,
    principalId,
    appId: deriveId("application", c, 0),
    credId: defaultCredId(spki),
    credentialUuid: deriveCredentialId({ orgId, userId: principalId, spki }),
    fingerprint,
  };
}
