import type { Evidence } from "@countersign/authority";
import { isDerivedId } from "@countersign/intent";
import {
  type GenerateRequest,
  type SettleRequest,
  type SignerService,
  KeyStateResponse_State as State,
} from "@countersign/proto/signer";
import type { CallContext, Handlers } from "@countersign/rpc";
import {
  certificateFromWire,
  evidenceFromWire,
  fixedBytes,
  keyToWire,
  partialToWire,
  type Session,
  sessionFromWire,
} from "@countersign/wire";
import { signerError } from "./errors.ts";
import { generate } from "./generate.ts";
import type { SignerNode } from "./node.ts";
import { Refusals, type RefusedCall } from "./refusals.ts";
import type { Sessions } from "./sessions.ts";
import { type HeldKey, keyState, renounce, settleByCertificate, settleByRenunciations } from "./settle.ts";
import { sign } from "./sign.ts";
import { status } from "./status.ts";

/**
 * The signer's calls, as `SignerService` defines them; a simulation calls the same functions without gRPC. What is refused goes to
 * the audit log. `refusals` default: of their own, for callers that never close them.
 */
export function signerCalls(
  node: SignerNode,
  sessions: Sessions,
  refusals = new Refusals(node),
): Handlers<typeof SignerService.method> {
  return {
    generate: ({ evidence, session }, context) =>
      audited(refusals, { call: "generate", ...context }, async (facts) => {
        const [approved, described] = readRequest(evidence, session, facts);
        return { key: keyToWire(await sessions.run(() => generate(node, approved, described, context))) };
      }),
    sign: ({ evidence, session }, context) =>
      audited(refusals, { call: "sign", ...context }, async (facts) => {
        const [approved, described] = readRequest(evidence, session, facts);
        const partials = await sessions.run(() => sign(node, approved, described, context));
        return { partials: partials.map(partialToWire) };
      }),
    keyState: ({ keyId }, context) =>
      audited(refusals, { call: "keyState", ...context }, async () =>
        stateToWire(await keyState(node, readKeyId(keyId))),
      ),
    settle: ({ keyId, proof }, context) =>
      audited(refusals, { call: "settle", ...context }, async () =>
        stateToWire(await settle(node, readKeyId(keyId), proof)),
      ),
    renounce: ({ keyId, sessionId, evidence }, context) =>
      audited(refusals, { call: "renounce", ...context }, async (facts) => {
        facts.sessionId = sessionId;
        const asked = { keyId: readKeyId(keyId), sessionId: fixedBytes(sessionId, 32, "session_id") };
        facts.evidence = evidenceFromWire(evidence);
        const signature = await renounce(node, facts.evidence, asked);
        return { renunciation: { party: node.self, sessionId, signature } };
      }),
    status: async () => status(node, sessions),
  };
}

/** What a call turned out to be about, as far as it was read. */
type Facts = { -readonly [K in "evidence" | "sessionId"]?: RefusedCall[K] };

async function audited<T>(
  refusals: Refusals,
  { call, caller }: Pick<CallContext, "caller"> & { readonly call: string },
  run: (facts: Facts) => Promise<T>,
): Promise<T> {
  const facts: Facts = {};
  try {
    return await run(facts);
  } catch (error) {
    refusals.note(error, { call, caller, ...facts });
    throw error;
  }
}

function readRequest(
  evidence: GenerateRequest["evidence"],
  session: GenerateRequest["session"],
  facts: Facts,
): [Evidence, Session] {
  facts.sessionId = session?.sessionId;
  facts.evidence = evidenceFromWire(evidence);
  return [facts.evidence, sessionFromWire(session)];
}

/** A key id as it came. Raises `key_id_malformed`: no key has another form, and the vault takes none for a programming error. */
function readKeyId(keyId: string): string {
  if (!isDerivedId("key", keyId)) throw signerError("key_id_malformed", "key_id is not the id of a key.");
  return keyId;
}

function settle(node: SignerNode, keyId: string, proof: SettleRequest["proof"]): Promise<HeldKey | undefined> {
  switch (proof.case) {
    case "certificate":
      return settleByCertificate(node, keyId, certificateFromWire(proof.value.acknowledgements));
    case "renunciations":
      return settleByRenunciations(node, keyId, proof.value.renunciations);
    case undefined:
      throw signerError("key_settled", "A staged key moves by a certificate or by renunciations; neither was sent.");
  }
}

function stateToWire(held: HeldKey | undefined) {
  if (held === undefined) return { state: State.ABSENT };
  const { state, sessionId } = held;
  return { state: state === "active" ? State.ACTIVE : State.STAGED, sessionId, key: keyToWire(held) };
}
