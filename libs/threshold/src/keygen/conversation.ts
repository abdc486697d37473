import { wipe } from "@countersign/bytes";
import type { Delivery, IdentitySigner, PartyIndex, SignedMessage } from "../delivery.ts";
import { ProtocolAbort } from "../errors.ts";
import type { Pause } from "../steps.ts";
import type { KeygenAbort } from "./abort.ts";
import { renunciationStatement } from "./acknowledgement.ts";
import { settleComplaints } from "./complaint.ts";
import { encodeComplaint, isComplaint } from "./encoding.ts";
import { judgeMessages } from "./judge-messages.ts";
import type { KeygenRound } from "./rounds.ts";
import type { KeygenSession } from "./terms.ts";

/** How the messages of a round are taken. */
export interface RoundRules<T> {
  /** Checks and decodes one message; raises `ProtocolAbort` without culprits. */
  readonly check: (body: Uint8Array, from: PartyIndex) => T;
  /** Messages that show a failed check to others. Default: the checked message alone. */
  readonly quote?: (from: PartyIndex) => readonly SignedMessage[];
  /** The round in which the others hear of a failed check. Absent in the last round. */
  readonly complainIn?: KeygenRound;
}

/** One party's side of a session: what it sent and heard, and how it complains. */
export class Conversation {
  readonly #delivery: Delivery;
  readonly #session: KeygenSession;
  readonly #identity: IdentitySigner;
  readonly #messages = new Map<KeygenRound, Map<PartyIndex, SignedMessage>>();
  readonly #sentShares: SignedMessage[] = [];
  readonly #pause: Pause | undefined;

  /** `pause` is awaited after each check of a message. */
  constructor(delivery: Delivery, session: KeygenSession, identity: IdentitySigner, pause?: Pause) {
    this.#delivery = delivery;
    this.#session = session;
    this.#identity = identity;
    this.#pause = pause;
  }

  /** Sends one body to all others, or a share to one. */
  async send(round: KeygenRound, to: PartyIndex | "all", body: Uint8Array): Promise<void> {
    const message = await this.#delivery.send(round, to, body);
    if (to === "all") this.#of(round).set(this.#delivery.self, message);
    else this.#sentShares.push(message);
  }

  /**
   * Waits for everyone's message of the round. Complaints among them end the session. So does a failed check, after the others
   * were shown it: without that they would wait for this party until the deadline, and name it silent.
   */
  async collect<T>(round: KeygenRound, rules: RoundRules<T>): Promise<Map<PartyIndex, T>> {
    const messages = await this.#complete(round);
    const complaints = round === "commit" ? new Map() : complaintsIn(messages);
    if (complaints.size > 0) throw settleComplaints(this.#session, complaints, this.#broadcasts());
    const results = new Map<PartyIndex, T>();
    for (const [from, message] of messages) {
      try {
        results.set(from, rules.check(message.body, from));
      } catch (error) {
        if (!(error instanceof ProtocolAbort)) throw error;
        throw await this.#accuse(error, rules.quote?.(from) ?? [message], rules.complainIn);
      }
      await this.#pause?.();
    }
    return results;
  }

  /**
   * The echoes differ: shows everyone all reveals and echoes in place of shares, and waits for what they show. Resolves with
   * what ends the session: an equivocator where two of its messages came together, else nobody.
   */
  async compareViews(): Promise<KeygenAbort> {
    const own = await this.#complain("share", [...this.heard("reveal"), ...this.heard("echo")]);
    const complaints = complaintsIn(await this.#complete("share"));
    return settleComplaints(this.#session, new Map([...complaints, [this.#delivery.self, own]]), this.#broadcasts());
  }

  /** Messages of a round by ascending party, the own broadcast included; of one party where named. */
  heard(round: KeygenRound, party?: PartyIndex): readonly SignedMessage[] {
    const messages = this.#of(round);
    const parties = party === undefined ? this.#session.parties : [party];
    return parties.flatMap((from) => messages.get(from) ?? []);
  }

  /** Overwrites the bodies of received and sent shares. Only for after the last round: the delivery may look at them until then. */
  wipeShares(): void {
    for (const { body } of [...this.heard("share"), ...this.#sentShares]) wipe(body);
  }

  /** Overwrites the bodies of received shares after a failure, but not those that are shown as evidence of it. */
  wipeReceived(evidence: readonly SignedMessage[]): void {
    const shown = new Set(evidence.map(({ body }) => body));
    for (const { body } of this.heard("share")) if (!shown.has(body)) wipe(body);
  }

  async #complete(round: KeygenRound): Promise<ReadonlyMap<PartyIndex, SignedMessage>> {
    const received = await this.#delivery.complete(round);
    const messages = this.#of(round);
    const others = this.#session.parties.filter((party) => party !== this.#delivery.self);
    const ascending = new Map(
      others.map((party) => {
        const message = received.get(party);
        if (message === undefined) throw new RangeError(`Round "${round}" completed without party ${party}.`);
        messages.set(party, message);
        return [party, message] as const;
      }),
    );
    return ascending;
  }

  /** Complains only about what a judge upholds: a message that went astray must not make this party a false complainer. */
  async #accuse(
    failure: ProtocolAbort,
    messages: readonly SignedMessage[],
    round: KeygenRound | undefined,
  ): Promise<ProtocolAbort> {
    const upheld = judgeMessages(this.#session, messages);
    if (upheld === undefined) {
      const text = "A message fails its check here, but would not convict its sender elsewhere.";
      return new ProtocolAbort("keygen_message_misdirected", text, { cause: failure });
    }
    if (round !== undefined) await this.#complain(round, messages);
    return upheld;
  }

  async #complain(round: KeygenRound, messages: readonly SignedMessage[]): Promise<SignedMessage> {
    const { deploymentId, keyId, sessionId } = this.#session.terms;
    const renunciation = this.#identity.sign(renunciationStatement(deploymentId, keyId, sessionId));
    return this.#delivery.send(round, "all", encodeComplaint({ renunciation, messages }));
  }

  /** What should be the same at everyone. Shares are not, and must not turn up in evidence against anybody else. */
  #broadcasts(): readonly SignedMessage[] {
    return (["commit", "reveal", "echo"] as const).flatMap((round) => this.heard(round));
  }

  #of(round: KeygenRound): Map<PartyIndex, SignedMessage> {
    const messages = this.#messages.get(round) ?? new Map<PartyIndex, SignedMessage>();
    this.#messages.set(round, messages);
    return messages;
  }
}

function complaintsIn(messages: ReadonlyMap<PartyIndex, SignedMessage>): ReadonlyMap<PartyIndex, SignedMessage> {
  return new Map([...messages].filter(([, message]) => isComplaint(message.body)));
}
