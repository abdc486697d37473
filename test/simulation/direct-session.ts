import { type Evidence, sessionHeads } from "@countersign/authority";
import type { SignerClient } from "@countersign/service-orchestrator";
import { evidenceToWire, type Session, sessionToWire } from "@countersign/wire";
import type { SimulatedDeployment } from "./simulated-deployment.ts";

/** A session as an honest orchestrator would describe it; `change` is what a hostile one does to it. */
export function sessionOf(
  deployment: SimulatedDeployment,
  evidence: Evidence,
  change: Partial<Session> & Pick<Session, "parties" | "sessionId">,
): Session {
  const { authority } = deployment.orchestrator.network;
  return { attempt: 1, ...sessionHeads(authority, evidence.orgId), ...change };
}

/** Calls one signer past every orchestrator. */
export function askToSign(
  signer: SignerClient,
  { evidence, session }: { readonly evidence: Evidence; readonly session: Session },
  { deadlineMs, signal = new AbortController().signal }: { readonly deadlineMs: number; readonly signal?: AbortSignal },
): ReturnType<SignerClient["sign"]> {
  const wire = { evidence: evidenceToWire(evidence), session: sessionToWire(session) };
  return signer.sign(wire, { signal, deadlineMs });
}
