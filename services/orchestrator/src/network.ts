import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AuthorityState, Descriptor } from "@countersign/authority";
import type { Clock } from "@countersign/mesh";
import type {
  GenerateRequestSchema,
  GenerateResponse,
  KeyStateRequestSchema,
  KeyStateResponse,
  RenounceRequestSchema,
  RenounceResponse,
  SettleRequestSchema,
  SignRequestSchema,
  SignResponse,
  StatusRequestSchema,
  StatusResponse,
} from "@countersign/proto/signer";
import type { OpenSignedMessage, PartyIndex, Rng, VerifyIdentity } from "@countersign/threshold";
import type { Coordination } from "./coordination/coordination.ts";
import type { Candidate } from "./quorum.ts";

/** Options of every call to a signer. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** Time the signer is given, milliseconds from now. */
  readonly deadlineMs: number;
}

/** A signer node as the orchestrator calls it: over gRPC, or directly in a simulation. */
export interface SignerClient {
  generate(request: MessageInitShape<typeof GenerateRequestSchema>, options: CallOptions): Promise<GenerateResponse>;
  sign(request: MessageInitShape<typeof SignRequestSchema>, options: CallOptions): Promise<SignResponse>;
  keyState(request: MessageInitShape<typeof KeyStateRequestSchema>, options: CallOptions): Promise<KeyStateResponse>;
  settle(request: MessageInitShape<typeof SettleRequestSchema>, options: CallOptions): Promise<KeyStateResponse>;
  renounce(request: MessageInitShape<typeof RenounceRequestSchema>, options: CallOptions): Promise<RenounceResponse>;
  status(request: MessageInitShape<typeof StatusRequestSchema>, options: CallOptions): Promise<StatusResponse>;
}

/** The network as one orchestrator holds it. */
export interface Network {
  readonly descriptor: Descriptor;
  readonly authority: AuthorityState;
  readonly signers: ReadonlyMap<PartyIndex, SignerClient>;
  /** Every node of the descriptor, as presence shows it now. */
  candidates(): readonly Candidate[];
  /** Counts a session in flight at the parties until the returned function is called. */
  countSession(parties: readonly PartyIndex[]): () => void;
  readonly openSignedMessage: OpenSignedMessage;
  readonly verifyIdentity: VerifyIdentity;
  readonly coordination: Coordination;
  /** Wall clock, milliseconds since 1970: judges expiry and deadlines. */
  readonly now: () => number;
  /** Timers; real, or a simulation's. */
  readonly clock: Clock;
  readonly rng: Rng;
}

/** The signer of a party of the descriptor. */
export function signerOf(network: Network, party: PartyIndex): SignerClient {
  const signer = network.signers.get(party);
  if (signer === undefined) throw new Error(`The configuration names no signer for party ${party}.`);
  return signer;
}

/** Resolves after `ms` on the network's clock; rejects when the signal aborts. */
export function delay({ clock }: Network, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const cancel = clock.setTimer(ms, resolve);
  const stop = () => {
    cancel();
    reject(signal.reason);
  };
  signal.addEventListener("abort", stop, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", stop));
}
