import { concatBytes, wipe } from "@countersign/bytes";
import type { Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import type { Delivery, PartyIndex, Rng, SignedMessage } from "../delivery.ts";
import { thresholdError } from "../errors.ts";
import type { KeyShare } from "../key-share.ts";
import { isChainCodeOf } from "../keygen/public-key-package.ts";
import type { LinkGate } from "../links/link-gate.ts";
import type { Pause } from "../steps.ts";
import { deriveKey } from "./derivation.ts";
import { FailedChecks, type Failure } from "./failures.ts";
import { ItemSigner } from "./item-signer.ts";
import { REQUEST_BYTES } from "./round-one.ts";
import { ANSWER_MESSAGE_BYTES } from "./round-two.ts";
import { type ItemGroup, itemGroups } from "./rounds.ts";
import { type EcdsaTerms, signingSession } from "./signing-session.ts";

/** What one party brings to a signing session. */
export interface SignEcdsaOptions extends Omit<EcdsaTerms, "key" | "parties" | "tweak"> {
  readonly share: KeyShare;
  /** The key's chain code, 32 bytes, secret of the signers. Needed where there is a path, unused elsewhere. */
  readonly chainCode?: Uint8Array;
  /** The gate of the link with each other party of the session. */
  readonly links: ReadonlyMap<PartyIndex, LinkGate>;
  readonly rng: Rng;
  /** Lets the event loop serve others between pieces of a few milliseconds. Default: goes on at once. */
  readonly pause?: Pause;
}

/**
 * One party's side of three-round threshold ECDSA (DKLs23, 2023/765, protocol 3.6; ECDSA specification, section 3.d), for every digest
 * at once. Resolves with one partial of 193 bytes per digest, for the combiner alone; nothing is kept for another attempt. Before the
 * call the party has authorised the session and durably counted the attempt.
 *
 * Raises what `signingSession` raises, `path_invalid`, `key_share_inconsistent`, `link_missing`, `link_banned`, the codes of `ecdsaAbortClasses`, and what the delivery raises.
 * Where the class of a code says so, links were banned durably before it is raised. When a ban cannot be stored, the store's error is
 * raised instead, and the caller has to stop the process (`LinkGate.ban`). The other parties are told nothing: they meet their deadline.
 */
export async function signEcdsa(delivery: Delivery, options: SignEcdsaOptions): Promise<readonly Uint8Array[]> {
  const { share, links, rng, pause = async () => {} } = options;
  const { self, parties } = delivery;
  const session = signingSession({ ...options, key: share.public, parties, tweak: tweakOf(options) });
  if (self !== share.index || !parties.includes(self))
    throw thresholdError("quorum_invalid", `Party ${self} holds share ${share.index} of quorum ${parties.join(", ")}.`);
  const peers = parties.filter((party) => party !== self);
  const gates = new Map(peers.map((peer) => [peer, gateOf(links, peer)] as const));
  const groups = itemGroups(session.items.length);
  const zeroSeeds = new Map([...gates].map(([peer, gate]) => [peer, gate.open().zeroSeedOf(share.public)] as const));
  const items: ItemSigner[] = [];

  /** Runs a step for every item and peer; the failures of all of them end the session together. */
  const everywhere = async (step: (item: ItemSigner, peer: PartyIndex, index: number) => Failure | undefined) => {
    const failed = new FailedChecks(gates);
    try {
      for (const [index, item] of items.entries())
        for (const peer of peers) {
          if (failed.hasBanned(peer)) continue;
          const failure = step(item, peer, index);
          if (failure !== undefined) failed.add(failure);
          await pause();
        }
    } finally {
      // Also when another session's ban or the pause ends the loop: a check that failed is always a ban that is stored.
      await failed.stored();
    }
    failed.raise();
  };

  try {
    for (const item of session.items) {
      items.push(new ItemSigner(session, item, share, rng));
      await pause();
    }

    // R1: each party asks each other one for a multiplication, and commits to its R.
    for (const group of groups)
      for (const [peer, gate] of gates) {
        const bodies: Uint8Array[] = [];
        for (const item of items.slice(group.start, group.end)) {
          bodies.push(item.request(peer, gate.open()));
          await pause();
        }
        await delivery.send(group.request, peer, concatBytes(...bodies));
      }
    const requests = await received(delivery, groups, "request", REQUEST_BYTES, gates);

    // Whether all are in one session comes before CHECK-1: else a relay that mixes sessions could have links banned.
    await everywhere((item, peer, index) => {
      const { bytes, message } = requests(peer, index);
      return item.hear(peer, bytes, openLink(gates, peer), message);
    });
    await everywhere((item, peer) => item.check(peer, openLink(gates, peer)));

    // R2, now that every request of every item passed CHECK-1.
    for (const item of items) {
      item.prepare(zeroSeeds);
      await pause();
    }
    for (const group of groups)
      for (const [peer, gate] of gates) {
        const bodies: Uint8Array[] = [];
        for (const item of items.slice(group.start, group.end)) {
          bodies.push(item.answer(peer));
          await pause();
        }
        // Another session's failed check may have banned the link meanwhile; then this answer must not leave.
        await gate.pass(() => delivery.send(group.answer, peer, concatBytes(...bodies)));
      }
    const answers = await received(delivery, groups, "answer", ANSWER_MESSAGE_BYTES, gates);

    // Pass 1 for all peers comes before CHECK-2 and CHECK-3 of any: an answer to other first messages would fail them unjustly.
    await everywhere((item, peer, index) => {
      const { bytes, message } = answers(peer, index);
      return item.open(peer, bytes, message);
    });
    await everywhere((item, peer) => item.verify(peer));
    const partials: Uint8Array[] = [];
    for (const item of items) {
      partials.push(item.partial());
      await pause();
    }
    // A link that was banned meanwhile ends this session too, however far it is.
    for (const gate of gates.values()) gate.open();
    return partials;
  } finally {
    for (const item of items) item.wipe();
    wipe(...zeroSeeds.values());
  }
}

/** delta of the path, from this party's own key record; neither it nor the derived key is taken from anybody. */
function tweakOf({ share: { public: key }, path = [], chainCode }: SignEcdsaOptions): Scalar {
  if (path.length === 0) return secp256k1.scalarFromNumber(0);
  const [root] = key.commitments;
  if (root === undefined || chainCode === undefined || !isChainCodeOf(key, chainCode))
    throw thresholdError("key_share_inconsistent", `Key ${key.keyId} has a path, but not its own chain code.`);
  return deriveKey(root, chainCode, path).tweak;
}

/** One peer's bytes for one item, with the signed message they came in. */
type Received = (peer: PartyIndex, index: number) => { readonly bytes: Uint8Array; readonly message: SignedMessage };

/** Waits for every group of a round; raises `ecdsa_message_malformed` for a body of another length than its items have. */
async function received(
  delivery: Delivery,
  groups: readonly ItemGroup[],
  round: "request" | "answer",
  itemBytes: number,
  gates: ReadonlyMap<PartyIndex, LinkGate>,
): Promise<Received> {
  const messages: ReadonlyMap<PartyIndex, SignedMessage>[] = [];
  const failed = new FailedChecks(gates);
  for (const group of groups) {
    const ofGroup = await delivery.complete(group[round]);
    messages.push(ofGroup);
    for (const [peer, message] of ofGroup)
      if (message.body.length !== itemBytes * (group.end - group.start)) {
        const why = `Party ${peer} sent ${message.body.length} bytes in round "${group[round]}".`;
        failed.add({ code: "ecdsa_message_malformed", peer, why, messages: [message] });
      }
  }
  failed.raise();
  return (peer, index) => {
    const place = groups.findIndex(({ end }) => index < end);
    const [group, message] = [groups[place], messages[place]?.get(peer)];
    if (group === undefined || message === undefined) throw new Error(`The delivery completed without party ${peer}.`);
    const at = itemBytes * (index - group.start);
    return { bytes: message.body.subarray(at, at + itemBytes), message };
  };
}

function gateOf(links: ReadonlyMap<PartyIndex, LinkGate>, peer: PartyIndex): LinkGate {
  const gate = links.get(peer);
  if (gate === undefined) throw thresholdError("link_missing", `There is no link with party ${peer}.`);
  return gate;
}

function openLink(gates: ReadonlyMap<PartyIndex, LinkGate>, peer: PartyIndex) {
  return gateOf(gates, peer).open();
}
