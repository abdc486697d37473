import { fromBinary } from "@bufbuild/protobuf";
import { actionDigest, evidenceHash } from "@countersign/authority";
import { decodeHex } from "@countersign/bytes";
import { PublicKeyPackageSchema } from "@countersign/proto/session";
import type { SignerNode } from "@countersign/service-signer";
import { type KeyShare, schnorrRounds, sessionDigest, signSchnorr } from "@countersign/threshold";
import { evidenceFromWire, keyFromWire, partialToWire, sessionFromWire } from "@countersign/wire";
import type { SignerCalls } from "./simulated-signer.ts";

/** What is wrong with a signer; for tests of the judge. */
export type Flaw =
  | "draws the same nonces again"
  | "signs another message"
  | "judges no evidence"
  | "records nothing"
  | "records after it began"
  | "has no cap"
  | "answers a session again";

/**
 * A signer that takes part in real sessions with the real protocol, but judges nothing and has one flaw beside. The honest one under
 * test has the checks; this one shows that the judge would see if it had not.
 */
export function flawedSigner(flaw: Flaw): (node: SignerNode) => Partial<SignerCalls> {
  return (node) => {
    const answers = new Map<string, Awaited<ReturnType<SignerCalls["sign"]>>>();
    const sign: SignerCalls["sign"] = async (request, context) => {
      const evidence = evidenceFromWire(request.evidence);
      const session = sessionFromWire(request.session);
      const place = session.sessionId.join();
      const before = answers.get(place);
      if (before !== undefined) return before;
      const { keyId, message } = readRequest(evidence);
      const { deploymentId, nodes } = node.descriptor;
      const { facts, secret } = await node.vault.openKey(keyId);
      // After the chain code.
      const wire = fromBinary(PublicKeyPackageSchema, facts.publicPart.subarray(32));
      const { package: key } = keyFromWire(wire, nodes.length);
      const share: KeyShare = { public: key, index: node.self, secret };
      const { epoch } = key;
      const { sessionId, parties } = session;
      const digest = sessionDigest({
        ...session,
        purpose: "sign",
        deploymentId,
        keyId,
        epoch,
        evidenceHash: evidenceHash(evidence),
      });
      const recorded = node.vault.beginSession({
        kind: "sign",
        c: actionDigest({ ...evidence, deploymentId }),
        sessionId: flaw === "records nothing" ? node.rng(32) : sessionId,
        attemptsMax: 99,
        expiresAt: evidence.expiresAtMs + 3_600_000,
        audit: { keyId },
      });
      if (flaw !== "records after it began") await recorded;
      if (flaw === "signs another message") message[0] = (message[0] ?? 0) ^ 1;
      const rounds = schnorrRounds(1);
      const delivery = node.mesh.openSession({
        sessionId,
        sessionDigest: digest,
        parties,
        rounds,
        signal: context.signal,
      });
      try {
        const isStuck = flaw === "draws the same nonces again";
        const partials = await signSchnorr(delivery, {
          share,
          items: [{ message }],
          sessionDigest: isStuck ? new Uint8Array(32) : digest,
          identity: node.identity,
          rng: isStuck ? (size) => new Uint8Array(size).fill(7) : node.rng,
        });
        const answer = { partials: partials.map(partialToWire) };
        if (flaw === "answers a session again") answers.set(place, answer);
        return answer;
      } finally {
        await recorded;
        delivery.close();
        secret.wipe();
      }
    };
    return { sign };
  };
}

function readRequest({ path, payload }: { readonly path: string; readonly payload: string }) {
  const { hash } = JSON.parse(payload) as { readonly hash: string };
  return { keyId: path.split("/")[2] ?? "", message: decodeHex(hash.slice(2)) };
}
