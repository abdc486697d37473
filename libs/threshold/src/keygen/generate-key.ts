import { equalBytes, Secret, wipe } from "@countersign/bytes";
import type { Scalar } from "../curves/curve.ts";
import type { Delivery, IdentitySigner, PartyIndex, Rng } from "../delivery.ts";
import { ProtocolAbort, thresholdError } from "../errors.ts";
import type { Acknowledgement, KeyShare, PublicKeyPackage } from "../key-share.ts";
import { type Pause, runWithPauses } from "../steps.ts";
import { acknowledgementStatement } from "./acknowledgement.ts";
import { checkAcknowledgement, checkShare, echoDigest, openReveal } from "./checks.ts";
import { Conversation } from "./conversation.ts";
import { deal } from "./dealing.ts";
import { decodeCommitment, decodeEcho, encodeEcho, encodeFinish, encodeReveal, encodeShare } from "./encoding.ts";
import { jointChainCode, jointKeySteps } from "./joint-key.ts";
import { compareLinkClaims, decodeLinkClaims, encodeLinkClaims, type LinkClaims } from "./link-confirmation.ts";
import { sumOfSecrets } from "./polynomial.ts";
import { checkKeyShare, checkPublicPolynomial } from "./public-key-package.ts";
import { checkDelivery, type KeygenSession, type KeygenTerms, type KeygenVerifiers, keygenSession } from "./terms.ts";

/** What a party needs to take part in generating a key. */
export interface KeygenOptions extends KeygenTerms, KeygenVerifiers {
  /** This party's identity. */
  readonly identity: IdentitySigner;
  readonly rng: Rng;
  /**
   * Makes share and acknowledgement durable before the acknowledgement leaves; rejects when it cannot. From then on the record
   * stays until all n acknowledgements activate it or a renunciation lets it go. The share is wiped when generation fails
   * afterwards, so what is kept must be a copy. So must what is kept of the chain code (32 bytes, secret), which is wiped next.
   */
  readonly stage: (share: KeyShare, acknowledgement: Acknowledgement, chainCode: Uint8Array) => Promise<void>;
  /** Fingerprints of this party's link with each other one. Needed for keys that are signed with over links, unused for others. */
  readonly links?: LinkClaims;
  /** Lets the event loop serve others between pieces of work that grow with the parties. Default: goes on at once. */
  readonly pause?: Pause;
}

/** A key that all n nodes hold durably. */
export interface GeneratedKey {
  readonly share: KeyShare;
  /** All n acknowledgements, ascending. */
  readonly certificate: readonly Acknowledgement[];
}

/**
 * Generates a key without a dealer (Schnorr specification, section 3): Pedersen's scheme with proofs of knowledge, hardened by
 * commitments, an echo, complaints and acknowledgements. One of all n parties' calls; serves every suite.
 *
 * Raises `ProtocolAbort` with culprit and evidence where a party provably cheated, `KeygenAbort` where a party complained, the
 * delivery's outage where one fell silent. Nothing of a failed session is ever used again. Before `stage` is called nothing was
 * kept and this party may forget the session; afterwards see `stage`.
 */
export async function generateKey(delivery: Delivery, options: KeygenOptions): Promise<GeneratedKey> {
  const session = keygenSession(options);
  checkDelivery(session, delivery);
  const { suite, context, parties, terms } = session;
  const { self } = delivery;
  const links = linksOf(session, self, options);
  const dealing = deal({ suite, context, dealer: self, parties, threshold: terms.threshold, rng: options.rng });
  const talk = new Conversation(delivery, session, options.identity, options.pause);
  let share: KeyShare | undefined;
  const received: Scalar[] = [];
  try {
    // R0. Without commitments the last to speak could choose its package so as to steer the key.
    await talk.send("commit", "all", dealing.commitment);
    const commitments = await talk.collect("commit", { check: decodeCommitment, complainIn: "reveal" });

    // R1, only now that all n commitments are in.
    await talk.send("reveal", "all", encodeReveal(dealing));
    const packages = await talk.collect("reveal", {
      check: (body, from) => openReveal(session, from, commitments.get(from), body),
      quote: (from) => [...talk.heard("commit", from), ...talk.heard("reveal", from)],
      complainIn: "echo",
    });
    packages.set(self, dealing);

    // R1e. The scheme is secure over a broadcast channel only; equal echoes make the reveals one.
    const tau = echoDigest(session, packages);
    await talk.send("echo", "all", encodeEcho(tau));
    if (links !== undefined) await talk.send("links", "all", encodeLinkClaims(parties, self, links));
    const echoes = await talk.collect("echo", { check: decodeEcho, complainIn: "share" });
    if (![...echoes.values()].every((echo) => equalBytes(echo, tau))) throw await talk.compareViews();
    if (links !== undefined) {
      // A stale link is found by everyone at once, before there is a share of a key that could not sign.
      const check = (body: Uint8Array, from: PartyIndex) => decodeLinkClaims(parties, from, body);
      const claims = await talk.collect("links", { check, complainIn: "share" });
      compareLinkClaims(claims.set(self, links));
    }

    // R2, to one receiver each.
    for (const [to, dealt] of dealing.shares)
      await talk.send("share", to, encodeShare({ tau, from: self, to, share: dealt }));
    const shares = await talk.collect("share", {
      check: (body, from) => {
        const summand = checkShare(session, { from, to: self, tau, dealt: packages.get(from) }, body);
        received.push(summand);
        return summand;
      },
      quote: (from) => (["reveal", "echo", "share"] as const).flatMap((round) => talk.heard(round, from)),
      complainIn: "finish",
    });

    // R3.
    const key = await runWithPauses(jointKeySteps(session, packages, tau), options.pause);
    checkPublicPolynomial(key);
    share = sumShares(session, key, self, [dealing.ownShare, ...shares.values()]);
    const statement = acknowledgementStatement(terms.deploymentId, key);
    const acknowledgement: Acknowledgement = { party: self, signature: options.identity.sign(statement) };

    // Persist before acknowledging. The other way round, a crash between the two leaves a key that the others activate and
    // this node cannot use.
    const chainCode = jointChainCode(session, packages, tau);
    await options.stage(share, acknowledgement, chainCode).finally(() => wipe(chainCode));
    await talk.send("finish", "all", encodeFinish(acknowledgement.signature));
    const signatures = await talk
      .collect("finish", {
        check: (body, from) => checkAcknowledgement(session, from, statement, body),
        quote: (from) => [...talk.heard("reveal"), ...talk.heard("finish", from)],
      })
      .finally(() => talk.wipeShares());
    signatures.set(self, acknowledgement.signature);
    const certificate = [...signatures].map(([party, signature]) => ({ party, signature }));
    return { share, certificate: certificate.sort((a, b) => a.party - b.party) };
  } catch (error) {
    share?.secret.wipe();
    talk.wipeReceived(error instanceof ProtocolAbort ? (error.evidence?.messages ?? []) : []);
    throw error;
  } finally {
    dealing.wipe();
    wipe(...received);
  }
}

/** The links to confirm, if this kind of key needs any; raises `link_missing` unless there is one with every other party. */
function linksOf(
  { suite, parties }: KeygenSession,
  self: PartyIndex,
  { links }: KeygenOptions,
): LinkClaims | undefined {
  if (!suite.usesLinks) return undefined;
  const missing = parties.filter((party) => party !== self && !links?.has(party));
  if (links === undefined || missing.length > 0)
    throw thresholdError("link_missing", `There is no link with parties ${missing.join(", ")}.`);
  return links;
}

/** s_j = sum of f_i(j), checked against Y_j. Wipes the summands. */
function sumShares(
  session: KeygenSession,
  key: PublicKeyPackage,
  self: PartyIndex,
  shares: readonly Scalar[],
): KeyShare {
  const secret = new Secret(sumOfSecrets(session.suite.curve, shares));
  wipe(...shares);
  const share: KeyShare = { public: key, index: self, secret };
  checkKeyShare(share);
  return share;
}
