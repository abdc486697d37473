import { Secret } from "@countersign/bytes";
import { createUser } from "@nats-io/nkeys";

/** A participant's key for the bus. */
export interface NatsKey {
  /** The seed as it stands in a seed file: text "SU…". */
  readonly seed: Secret;
  /** Text "U…", for the bus's configuration and the deployment descriptor. */
  readonly publicKey: string;
}

/** Makes a fresh nkey. It admits to the bus and proves nothing else: whatever the bus carries is signed by node identities. */
export function createNatsKey(): NatsKey {
  const pair = createUser();
  return { seed: new Secret(pair.getSeed()), publicKey: pair.getPublicKey() };
}
