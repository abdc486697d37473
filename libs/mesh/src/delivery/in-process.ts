import type { Delivery, MessageFacts, PartyIndex, SignedMessage } from "@countersign/threshold";
import { signMessage } from "../header.ts";
import type { NodeIdentity } from "../identity.ts";
import { SessionInbox } from "./inbox.ts";

/** What all parties of an in-process session share. */
export interface InProcessSession {
  readonly deploymentId: string;
  readonly sessionId: Uint8Array;
  readonly sessionDigest: Uint8Array;
  readonly rounds: Readonly<Record<string, number>>;
  readonly identities: ReadonlyMap<PartyIndex, NodeIdentity>;
  readonly signal: AbortSignal;
  /** Looks at or replaces each message on its way to one receiver; undefined loses it. Default: passes all on. */
  readonly tap?: (message: SignedMessage, facts: MessageFacts, receiver: PartyIndex) => SignedMessage | undefined;
}

/** One `Delivery` per party, joined in this process; messages are signed as on the wire and arrive in a later microtask. */
export function inProcessDeliveries(session: InProcessSession): ReadonlyMap<PartyIndex, Delivery> {
  const { deploymentId, sessionId, sessionDigest, rounds, identities, signal } = session;
  const parties = [...identities.keys()].sort((a, b) => a - b);
  const inboxes = new Map(
    parties.map((self) => [self, new SessionInbox({ self, parties, sessionDigest, rounds, signal })] as const),
  );
  const tap = session.tap ?? ((message: SignedMessage) => message);
  return new Map(
    [...identities].map(([self, identity]) => {
      const delivery: Delivery = {
        self,
        parties,
        send: async (round, to, body) => {
          inboxes.get(self)?.ended.throwIfAborted();
          const facts: MessageFacts = { sessionId, sessionDigest, round, from: self, to: to === "all" ? 0 : to };
          const message = signMessage(identity, deploymentId, facts, body);
          for (const receiver of to === "all" ? parties.filter((party) => party !== self) : [to]) {
            const passed = tap(message, facts, receiver);
            if (passed !== undefined) queueMicrotask(() => inboxes.get(receiver)?.accept(facts, passed));
          }
          return message;
        },
        complete: (round) => inboxes.get(self)?.complete(round) ?? Promise.reject(new Error(`No party ${self}.`)),
      };
      return [self, delivery] as const;
    }),
  );
}
