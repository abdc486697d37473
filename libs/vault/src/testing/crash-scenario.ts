import { utf8 } from "@countersign/bytes";
import type { Vault } from "../vault.ts";
import { bytes32, keyRecord } from "./vault-fixture.ts";

/** C that the scenario's signing session is approved by. */
export const APPROVAL = bytes32("approval");
/** Far enough that the scenario's sessions never expire, wherever the clock stands. */
const EXPIRES_AT = 8_000_000_000_000;

interface Step {
  readonly name: string;
  /** Kinds of the audit entries that the step's one transaction appends. */
  readonly entries: readonly string[];
  run(vault: Vault): Promise<unknown>;
}

/** A node's day, one durable transaction per step after the vault's creation. */
export const STEPS: readonly Step[] = [
  {
    name: "accept the generation of key-1",
    entries: ["accepted"],
    run: (vault) =>
      vault.beginSession({
        kind: "generate",
        keyId: "key-1",
        c: bytes32("c of key-1"),
        sessionId: bytes32("session of key-1"),
        expiresAt: EXPIRES_AT,
        audit: {},
      }),
  },
  {
    name: "stage key-1",
    entries: ["key-staged"],
    run: (vault) => vault.stageKey(keyRecord("key-1"), utf8("acknowledgement")),
  },
  {
    name: "activate key-1",
    entries: ["key-activated"],
    run: (vault) => vault.activateKey("key-1", bytes32("session of key-1"), utf8("certificate")),
  },
  {
    name: "accept a signature",
    entries: ["accepted"],
    run: (vault) =>
      vault.beginSession({
        kind: "sign",
        c: APPROVAL,
        attemptsMax: 3,
        sessionId: bytes32("signature"),
        expiresAt: EXPIRES_AT,
        audit: {},
      }),
  },
  {
    name: "renounce a session of key-2, the signature's outcome riding along",
    entries: ["outcome", "session-renounced"],
    run: (vault) => {
      vault.recordOutcome({ sessionId: bytes32("signature"), keyId: "key-1", outcome: "signed" });
      return vault.renounce("key-2", bytes32("session of key-2"));
    },
  },
  {
    name: "stage key-3",
    entries: ["key-staged"],
    run: (vault) => vault.stageKey(keyRecord("key-3"), utf8("acknowledgement")),
  },
  {
    name: "drop key-3",
    entries: ["key-dropped"],
    run: (vault) => vault.dropStagedKey("key-3", bytes32("session of key-3")),
  },
];
