import { type SignerService, KeyStateResponse_State as State } from "@countersign/proto/signer";
import type { Handlers } from "@countersign/rpc";
import {
  certificateFromWire,
  evidenceFromWire,
  fixedBytes,
  keyToWire,
  partialToWire,
  sessionFromWire,
} from "@countersign/wire";
import { signerError } from "./errors.ts";
import { generate } from "./generate.ts";
import type { SignerNode } from "./node.ts";
import type { Sessions } from "./sessions.ts";
import { type HeldKey, keyState, renounce, settleByCertificate, settleByRenunciation } from "./settle.ts";
import { sign } from "./sign.ts";
import { status } from "./status.ts";

/** The signer's calls, as `SignerService` defines them; a simulation calls the same functions without gRPC. */
export function signerCalls(node: SignerNode, sessions: Sessions): Handlers<typeof SignerService.method> {
  return {
    generate: async ({ evidence, session }, limits) => {
      const [approved, described] = [evidenceFromWire(evidence), sessionFromWire(session)];
      return { key: keyToWire(await sessions.run(() => generate(node, approved, described, limits))) };
    },
    sign: async ({ evidence, session }, limits) => {
      const [approved, described] = [evidenceFromWire(evidence), sessionFromWire(session)];
      const partials = await sessions.run(() => sign(node, approved, described, limits));
      return { partials: partials.map(partialToWire) };
    },
    keyState: async ({ keyId }) => stateToWire(await keyState(node, keyId)),
    settle: async ({ keyId, proof }) => {
      switch (proof.case) {
        case "certificate": {
          const certificate = certificateFromWire(proof.value.acknowledgements);
          return stateToWire(await settleByCertificate(node, keyId, certificate));
        }
        case "renunciation":
          return stateToWire(await settleByRenunciation(node, keyId, proof.value));
        case undefined:
          throw signerError("key_settled", "A staged key moves by a certificate or a renunciation; neither was sent.");
      }
    },
    renounce: async ({ keyId, sessionId }) => {
      const signature = await renounce(node, keyId, fixedBytes(sessionId, 32, "session_id"));
      return { renunciation: { party: node.self, sessionId, signature } };
    },
    status: async () => status(node, sessions),
  };
}

function stateToWire(held: HeldKey | undefined) {
  if (held === undefined) return { state: State.ABSENT };
  const { state, sessionId } = held;
  return { state: state === "active" ? State.ACTIVE : State.STAGED, sessionId, key: keyToWire(held) };
}
