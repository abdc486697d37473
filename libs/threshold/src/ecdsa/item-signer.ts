import { equalBytes, wipe } from "@countersign/bytes";
import type { Point, Scalar } from "../curves/curve.ts";
import { secp256k1 } from "../curves/secp256k1.ts";
import type { PartyIndex, Rng, SignedMessage } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import type { KeyShare } from "../key-share.ts";
import { sumOfSecrets } from "../keygen/polynomial.ts";
import type { Link } from "../links/link.ts";
import { lagrangeCoefficient } from "../schnorr/lagrange.ts";
import type { Failure } from "./failures.ts";
import { ItemSecrets } from "./item-secrets.ts";
import { encodePartial, messageScalar, requestDigest } from "./partial.ts";
import {
  answerPsid,
  commitToNonce,
  decodeRequest,
  encodeRequest,
  openingsDigest,
  type RequestMessage,
  requestPsid,
} from "./round-one.ts";
import { type AnswerMessage, answerDigest, decodeAnswer, encodeAnswer } from "./round-two.ts";
import { MultiplicationReceiver, MultiplicationSender, type Pair } from "./rvole.ts";
import type { SigningItem, SigningSession } from "./signing-session.ts";
import { TH2S } from "./transcript.ts";

/** What one party holds about one peer for one item, as the rounds fill it. */
interface PeerState {
  /** The multiplication that this party asked for; its b is chi. */
  readonly receiver: MultiplicationReceiver;
  readonly psid1: Uint8Array;
  heard?: RequestMessage;
  requestEvidence?: SignedMessage;
  sender?: MultiplicationSender;
  /** cu and cv, then du and dv: this party's shares of both products. */
  sent?: Pair;
  got?: Pair;
  answer?: AnswerMessage;
}

/**
 * One party's work on one item of a session (ECDSA specification, section 3.d). Its methods are called once each, in the order they
 * stand in; `signEcdsa` owns the rounds. Secret until `wipe`.
 */
export class ItemSigner {
  readonly #session: SigningSession;
  readonly #item: SigningItem;
  readonly #share: KeyShare;
  readonly #secrets: ItemSecrets;
  readonly #peers = new Map<PartyIndex, PeerState>();
  #D: Uint8Array | undefined;
  /** sk_i and pk_i. */
  #keyShare: { readonly secret: Scalar; readonly point: Point } | undefined;

  constructor(session: SigningSession, item: SigningItem, share: KeyShare, rng: Rng) {
    this.#session = session;
    this.#item = item;
    this.#share = share;
    this.#secrets = new ItemSecrets(share, item.sid, rng);
  }

  /** R1 to a peer. */
  request(peer: PartyIndex, link: Link): Uint8Array {
    const { nonce, commitment } = this.#secrets;
    const { sid } = this.#item;
    const fingerprint = link.fingerprints.receiving;
    const psid1 = requestPsid(sid, this.#share.index, peer, fingerprint, nonce);
    const receiver = new MultiplicationReceiver(link.receivingSide(), psid1, this.#secrets.choices(peer));
    this.#peers.set(peer, { receiver, psid1 });
    return encodeRequest({ sid, fingerprint, nonce, commitment, request: receiver.request });
  }

  /** Takes a peer's R1: it is of this very session and link, or views differ. */
  hear(peer: PartyIndex, bytes: Uint8Array, link: Link, evidence: SignedMessage): Failure | undefined {
    const heard = decodeRequest(bytes);
    const state = this.#peer(peer);
    state.heard = heard;
    state.requestEvidence = evidence;
    const isSame = equalBytes(heard.sid, this.#item.sid) && equalBytes(heard.fingerprint, link.fingerprints.sending);
    if (isSame) return undefined;
    const why = `Party ${peer} signs in another session or over another link.`;
    return { code: "ecdsa_views_differ", peer, why, messages: [evidence] };
  }

  /** CHECK-1 of a peer's request. */
  check(peer: PartyIndex, link: Link): Failure | undefined {
    const state = this.#peer(peer);
    const { fingerprint, nonce, request } = heardOf(state);
    const psid1 = requestPsid(this.#item.sid, peer, this.#share.index, fingerprint, nonce);
    const sender = MultiplicationSender.check(link.sendingSide(), psid1, request);
    if (sender !== undefined) {
      state.sender = sender;
      return undefined;
    }
    const why = `The OT extension of party ${peer} fails its check.`;
    return { code: "ot_check_failed", peer, why, messages: [] };
  }

  /** Fixes D and this party's share of the key, once every request passed CHECK-1. `zeroSeeds`: zs with each peer. */
  prepare(zeroSeeds: ReadonlyMap<PartyIndex, Uint8Array>): void {
    const { sid } = this.#item;
    const { nonce, commitment } = this.#secrets;
    const { parties } = this.#session.terms;
    const openings = parties.map((party) =>
      party === this.#share.index ? { party, nonce, commitment } : { party, ...heardOf(this.#peer(party)) },
    );
    this.#D = openingsDigest(sid, openings);
    const secret = this.#weightedShare(zeroSeeds, this.#D);
    this.#keyShare = { secret, point: secp256k1.multiplyBase(secret) };
  }

  /** R2 to a peer. */
  answer(peer: PartyIndex): Uint8Array {
    const state = this.#peer(peer);
    const { phi, r, R, salt } = this.#secrets;
    const { D, keyShare } = this.#prepared();
    if (state.sender === undefined) throw new Error(`The request of party ${peer} was not checked.`);
    const { fingerprint, nonce } = heardOf(state);
    const psid1 = requestPsid(this.#item.sid, peer, this.#share.index, fingerprint, nonce);
    const checkInput = this.#secrets.checkInput(peer);
    const { message, c } = state.sender.answer(answerPsid(psid1, D), [r, keyShare.secret], checkInput);
    wipe(checkInput);
    state.sender.wipe();
    state.sent = c;
    return encodeAnswer({
      D,
      answer: message,
      gammaU: secp256k1.multiplyBase(c[0]),
      gammaV: secp256k1.multiplyBase(c[1]),
      psi: secp256k1.subtract(phi, state.receiver.b),
      publicShare: keyShare.point,
      R,
      salt,
    });
  }

  /** Pass 1 over a peer's R2: same D, valid encodings, and R opens its commitment. */
  open(peer: PartyIndex, bytes: Uint8Array, evidence: SignedMessage): Failure | undefined {
    const state = this.#peer(peer);
    if (!equalBytes(answerDigest(bytes), this.#prepared().D)) {
      const why = `Party ${peer} heard other first messages than this party.`;
      return { code: "ecdsa_views_differ", peer, why, messages: requestEvidence(state, evidence) };
    }
    const answer = decodeOrUndefined(bytes);
    if (answer === undefined) {
      const why = `An answer of party ${peer} holds a value that is not canonical.`;
      return { code: "ecdsa_message_malformed", peer, why, messages: [evidence] };
    }
    state.answer = answer;
    const commitment = commitToNonce(this.#item.sid, peer, answer.R, answer.salt);
    if (equalBytes(commitment, heardOf(state).commitment)) return undefined;
    const why = `Party ${peer} opened another R than it had committed to.`;
    return { code: "ecdsa_commitment_mismatch", peer, why, messages: requestEvidence(state, evidence) };
  }

  /** Pass 2: CHECK-2, then CHECK-3u and CHECK-3v. */
  verify(peer: PartyIndex): Failure | undefined {
    const state = this.#peer(peer);
    const answer = answerOf(state);
    const d = state.receiver.complete(answerPsid(state.psid1, this.#prepared().D), answer.answer);
    const failure = (what: string): Failure => {
      const why = `The multiplication of party ${peer} fails its ${what}.`;
      return { code: "multiplication_check_failed", peer, why, messages: [] };
    };
    if (d === undefined) return failure("consistency check");
    state.got = d;
    const chi = state.receiver.b;
    if (!isProduct(chi, answer.R, d[0], answer.gammaU)) return failure("check of the nonce");
    if (!isProduct(chi, answer.publicShare, d[1], answer.gammaV)) return failure("check of the key share");
    return undefined;
  }

  /** Pass 3, and R3 for the combiner: 193 bytes. Raises `ecdsa_keys_differ`, `ecdsa_nonce_degenerate`. */
  partial(): Uint8Array {
    const { D, keyShare } = this.#prepared();
    const answers = [...this.#peers.values()].map(answerOf);
    const publicKey = sumOrUndefined([keyShare.point, ...answers.map(({ publicShare }) => publicShare)]);
    if (publicKey === undefined || !secp256k1.equalPoints(publicKey, this.#session.publicKey))
      throw new ProtocolAbort("ecdsa_keys_differ", "The parties' key shares do not add up to the key.");
    const R = sumOrUndefined([this.#secrets.R, ...answers.map((answer) => answer.R)]);
    const rx = R && messageScalar(R.subarray(1));
    if (R === undefined || rx === undefined || secp256k1.isZero(rx))
      throw new ProtocolAbort("ecdsa_nonce_degenerate", "The sum of all R makes no r.");

    const { terms } = this.#session;
    const m = messageScalar(this.#item.digest);
    const { u, v } = this.#products();
    const w = sumOfProducts(m, this.#secrets.phi, rx, v);
    wipe(v);
    const digest = requestDigest(this.#item.sid, D, m, terms.evidenceHash);
    return encodePartial({ sid: this.#item.sid, D, requestDigest: digest, R, u, w });
  }

  wipe(): void {
    this.#secrets.wipe();
    if (this.#keyShare !== undefined) wipe(this.#keyShare.secret);
    for (const { receiver, sender, sent = [], got = [], answer } of this.#peers.values()) {
      receiver.wipe();
      sender?.wipe();
      wipe(...sent, ...got);
      if (answer !== undefined) wipe(answer.psi);
    }
    this.#peers.clear();
  }

  /** u_i = r_i*(phi_i + sum of psi) + sum of (cu + du), and v_i likewise with sk_i. */
  #products(): { readonly u: Scalar; readonly v: Scalar } {
    const states = [...this.#peers.values()];
    const masked = sumOfSecrets(secp256k1, [this.#secrets.phi, ...states.map((state) => answerOf(state).psi)]);
    const product = (factor: Scalar, which: 0 | 1) => {
      const own = secp256k1.multiply(factor, masked);
      const shares = states.flatMap((state) => [pairOf(state.sent)[which], pairOf(state.got)[which]]);
      const total = sumOfSecrets(secp256k1, [own, ...shares]);
      wipe(own);
      return total;
    };
    const products = { u: product(this.#secrets.r, 0), v: product(this.#prepared().keyShare.secret, 1) };
    wipe(masked);
    return products;
  }

  /** sk_i = lambda_i*x_i + zeta_i, and delta at the first party of S. The zetas of all parties add up to zero. */
  #weightedShare(zeroSeeds: ReadonlyMap<PartyIndex, Uint8Array>, D: Uint8Array): Scalar {
    const { index } = this.#share;
    const { parties } = this.#session.terms;
    const secret = secp256k1.decodeScalar(this.#share.secret.expose());
    const weighted = secp256k1.multiply(lagrangeCoefficient(secp256k1, parties, index), secret);
    const summands = [weighted];
    for (const [peer, zeroSeed] of zeroSeeds) {
      const mask = TH2S("zero", zeroSeed, this.#item.sid, D);
      summands.push(peer > index ? mask : secp256k1.negate(mask));
      if (peer < index) wipe(mask);
    }
    if (index === parties[0]) summands.push(new Uint8Array(this.#session.tweak) as Scalar);
    const total = sumOfSecrets(secp256k1, summands);
    wipe(secret, ...summands);
    return total;
  }

  #peer(peer: PartyIndex): PeerState {
    const state = this.#peers.get(peer);
    if (state === undefined) throw new Error(`Party ${peer} was asked for nothing.`);
    return state;
  }

  #prepared(): { readonly D: Uint8Array; readonly keyShare: { readonly secret: Scalar; readonly point: Point } } {
    if (this.#D === undefined || this.#keyShare === undefined) throw new Error("The first round is not over.");
    return { D: this.#D, keyShare: this.#keyShare };
  }
}

/** CHECK-3: chi * P_j == d*G + Gamma. Whatever the curve cannot compute here is a failed check. */
function isProduct(chi: Scalar, P: Point, d: Scalar, gamma: Point): boolean {
  try {
    const expected = secp256k1.sum([secp256k1.multiplyBase(d), gamma]);
    return secp256k1.equalPoints(secp256k1.multiplySecret(P, chi), expected);
  } catch {
    // Whether chi, d or the sum was degenerate, the sender's message made it so.
    return false;
  }
}

/** a*b + c*d. */
function sumOfProducts(a: Scalar, b: Scalar, c: Scalar, d: Scalar): Scalar {
  const [first, second] = [secp256k1.multiply(a, b), secp256k1.multiply(c, d)];
  const sum = secp256k1.add(first, second);
  wipe(first, second);
  return sum;
}

function sumOrUndefined(points: readonly Point[]): Point | undefined {
  try {
    return secp256k1.sum(points);
  } catch (error) {
    if (error instanceof ProtocolAbort) return undefined;
    throw error;
  }
}

function decodeOrUndefined(bytes: Uint8Array): AnswerMessage | undefined {
  try {
    return decodeAnswer(bytes);
  } catch (error) {
    if (error instanceof ProtocolAbort) return undefined;
    throw error;
  }
}

function requestEvidence({ requestEvidence: first }: PeerState, second: SignedMessage): readonly SignedMessage[] {
  return first === undefined ? [second] : [first, second];
}

function heardOf({ heard }: PeerState): RequestMessage {
  if (heard === undefined) throw new Error("A peer's request is missing.");
  return heard;
}

function answerOf({ answer }: PeerState): AnswerMessage {
  if (answer === undefined) throw new Error("A peer's answer is missing.");
  return answer;
}

function pairOf(pair: Pair | undefined): Pair {
  if (pair === undefined) throw new Error("A multiplication is missing.");
  return pair;
}
