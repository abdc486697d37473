import { createHash } from "node:crypto";
import { Secret } from "@countersign/bytes";
import { inProcessDeliveries, type NodeIdentity, signMessage } from "@countersign/mesh";
import type { Delivery, MessageFacts, PartyIndex, Rng, SignedMessage } from "../../delivery.ts";
import { Link } from "../../links/link.ts";
import { type BanReason, type LinkGate, linkGate } from "../../links/link-gate.ts";
import { makeParties } from "../../testing/signing-network.ts";
import { type SplitKey, splitKey } from "../../testing/split-key.ts";
import { systemRng } from "../../testing/system-rng.ts";
import { type CombineEcdsaOptions, combineEcdsa } from "../combine.ts";
import { deriveKey } from "../derivation.ts";
import { WORD_SIZE } from "../parameters.ts";
import { ecdsaRounds } from "../rounds.ts";
import { type SignEcdsaOptions, signEcdsa } from "../sign.ts";
import { type EcdsaTerms, ecdsaKeyContext } from "../signing-session.ts";
import type { EcdsaSignature } from "../verify.ts";
import { idealDirection } from "./base-ots.ts";

const DEPLOYMENT = "test-deployment";

/** n nodes with an ECDSA key and a link between each two. */
export interface EcdsaNetwork {
  readonly key: Pick<SplitKey, "public" | "shares" | "chainCode">;
  readonly identities: ReadonlyMap<PartyIndex, NodeIdentity>;
  readonly keyContext: Uint8Array;
  /** Gate of party i's end of its link with party j. */
  readonly gates: ReadonlyMap<PartyIndex, ReadonlyMap<PartyIndex, LinkGate>>;
  /** What was stored: "2>1 ot_check_failed" is party 2 banning its link with party 1. */
  readonly bans: readonly string[];
}

/** A network with links as perfect setups leave them. */
export function ecdsaNetwork(
  threshold: number,
  partyCount: number,
  options: { readonly key?: SplitKey; readonly rng?: Rng } = {},
): EcdsaNetwork {
  const { rng = systemRng } = options;
  const suite = "DKLS23-secp256k1-SHA256-v1";
  const key = options.key ?? splitKey({ suite, threshold, partyCount, rng });
  const { identities } = makeParties(partyCount);
  const members = [...identities].map(([index, { publicKey }]) => ({ index, identityKey: publicKey }));
  const gates = new Map([...identities.keys()].map((party) => [party, new Map<PartyIndex, LinkGate>()] as const));
  const bans: string[] = [];
  const add = (self: PartyIndex, peer: PartyIndex, link: Link) =>
    gates.get(self)?.set(
      peer,
      linkGate(link, {
        isActive: async () => true,
        storeBan: async (_, reason: BanReason) => {
          bans.push(`${self}>${peer} ${reason}`);
        },
      }),
    );
  for (let one = 1; one <= partyCount; one++)
    for (let other = one + 1; other <= partyCount; other++) {
      const [first, second] = idealLink(one, other, rng);
      add(one, other, first);
      add(other, one, second);
    }
  // Identities are never the same twice: a transcript that is to be takes its context from the generator.
  const keyContext = options.rng?.(WORD_SIZE) ?? ecdsaKeyContext(key.public, members);
  return { key, identities, keyContext, gates, bans };
}

/** Both ends of a link as a perfect setup leaves them; each end's gadgets come with its public pairSids. */
export function idealLink(
  one: PartyIndex,
  other: PartyIndex,
  rng: Rng = systemRng,
  linkEpoch = 1,
): readonly [Link, Link] {
  const directions = [idealDirection(rng), idealDirection(rng)] as const;
  const pairSids = [rng(WORD_SIZE), rng(WORD_SIZE)] as const;
  const prints = [rng(WORD_SIZE), rng(WORD_SIZE)] as const;
  const zeroSeed = rng(WORD_SIZE);
  const end = (self: PartyIndex, peer: PartyIndex, receives: 0 | 1) => {
    const sends = receives === 0 ? 1 : 0;
    const { receiving } = directions[receives];
    const { sending } = directions[sends];
    return new Link({
      linkEpoch,
      self: `node-${self}`,
      peer: `node-${peer}`,
      fingerprints: { receiving: prints[receives], sending: prints[sends] },
      pairSids: { receiving: pairSids[receives], sending: pairSids[sends] },
      receivingSeeds: new Secret(receiving.seeds.slice()),
      sendingSeeds: new Secret(sending.seeds.slice()),
      nabla: new Secret(sending.nabla.slice()),
      zeroSeed: new Secret(zeroSeed.slice()),
    });
  };
  return [end(one, other, 0), end(other, one, 1)];
}

/** A session among some nodes, with every place where a test may cheat. */
export interface EcdsaCheats {
  readonly digests?: readonly Uint8Array[];
  readonly path?: readonly number[];
  readonly sessionId?: Uint8Array;
  readonly rng?: (party: PartyIndex) => Rng;
  /** Replaces the body that a party sends to one other; undefined leaves it, null loses it. Signed as that party. */
  readonly forge?: (sent: {
    readonly from: PartyIndex;
    readonly to: PartyIndex;
    readonly round: string;
    readonly body: Uint8Array;
  }) => Uint8Array | null | undefined;
  /** Replaces what a party believes. */
  readonly options?: (party: PartyIndex, options: SignEcdsaOptions) => SignEcdsaOptions;
  readonly delivery?: (party: PartyIndex, delivery: Delivery) => Delivery;
  readonly tap?: (message: SignedMessage, facts: MessageFacts, receiver: PartyIndex) => SignedMessage | undefined;
}

/** What a run left. */
export interface EcdsaRun {
  readonly outcomes: ReadonlyMap<PartyIndex, PromiseSettledResult<readonly Uint8Array[]>>;
  readonly terms: EcdsaTerms;
}

/** Runs all parties of a quorum; once the event loop turns with parties still waiting, the deadline passes. */
export async function runEcdsa(
  network: EcdsaNetwork,
  quorum: readonly PartyIndex[],
  cheats: EcdsaCheats = {},
): Promise<EcdsaRun> {
  const { key, identities, keyContext, gates } = network;
  const { digests = [systemRng(32)], path = [], sessionId = systemRng(32) } = cheats;
  const [root] = key.public.commitments;
  const tweak = root && path.length > 0 ? deriveKey(root, key.chainCode, path).tweak : undefined;
  const terms: EcdsaTerms = {
    deploymentId: DEPLOYMENT,
    key: key.public,
    keyContext,
    parties: quorum,
    sessionId,
    attempt: 1,
    evidenceHash: new Uint8Array(32).fill(1),
    organisationHead: new Uint8Array(32).fill(2),
    deploymentHead: new Uint8Array(32).fill(3),
    path,
    digests,
    ...(tweak && { tweak }),
  };
  const deadline = new AbortController();
  const deliveries = inProcessDeliveries({
    deploymentId: DEPLOYMENT,
    sessionId,
    sessionDigest: new Uint8Array(createHash("sha256").update(sessionId).digest()),
    rounds: ecdsaRounds(digests.length),
    identities: new Map(quorum.map((party) => [party, identityIn(identities, party)])),
    signal: deadline.signal,
    tap: (message, facts, receiver) => {
      const { from, round } = facts;
      const forged = cheats.forge?.({ from, to: receiver, round, body: message.body });
      if (forged === null) return undefined;
      const identity = identities.get(from);
      if (forged === undefined || identity === undefined)
        return cheats.tap === undefined ? message : cheats.tap(message, facts, receiver);
      return signMessage(identity, DEPLOYMENT, facts, forged);
    },
  });
  const runs = quorum.map(async (party) => {
    const delivery = deliveries.get(party);
    const share = key.shares[party - 1];
    const links = gates.get(party);
    if (delivery === undefined || share === undefined || links === undefined) throw new Error(`No party ${party}.`);
    const { key: _, parties: __, tweak: ___, ...facts } = terms;
    const options: SignEcdsaOptions = {
      ...facts,
      chainCode: key.chainCode,
      share,
      links,
      rng: cheats.rng?.(party) ?? systemRng,
    };
    return await signEcdsa(cheats.delivery?.(party, delivery) ?? delivery, cheats.options?.(party, options) ?? options);
  });
  const settled = Promise.allSettled(runs);
  await new Promise((resolve) => setImmediate(resolve));
  deadline.abort(new DOMException("The test's deadline passed.", "TimeoutError"));
  const outcomes = await settled;
  return { terms, outcomes: new Map(outcomes.map((outcome, place) => [quorum[place] ?? 0, outcome])) };
}

/** What a run's orchestrator hands to `combineEcdsa`; throws what the first failing party threw. */
export function combination({ terms, outcomes }: EcdsaRun, itemIndex = 0): CombineEcdsaOptions {
  const partials = new Map<PartyIndex, Uint8Array>();
  for (const [party, outcome] of outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
    partials.set(party, outcome.value[itemIndex] ?? new Uint8Array(0));
  }
  return { ...terms, itemIndex, partials };
}

/** Signs and combines the first digest. */
export async function signWith(
  network: EcdsaNetwork,
  quorum: readonly PartyIndex[],
  cheats: EcdsaCheats = {},
): Promise<EcdsaSignature> {
  return combineEcdsa(combination(await runEcdsa(network, quorum, cheats)));
}

function identityIn(identities: ReadonlyMap<PartyIndex, NodeIdentity>, party: PartyIndex): NodeIdentity {
  const identity = identities.get(party);
  if (identity === undefined) throw new Error(`No identity ${party}.`);
  return identity;
}
