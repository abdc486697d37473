import type { Evidence } from "@countersign/authority";
import type { SignerClient } from "@countersign/service-orchestrator";
import type { Judge } from "./judge.ts";

/** Shows a judge everything that one signer releases; changes nothing. */
export function observed(client: SignerClient, party: number, judge: Judge): SignerClient {
  return {
    ...client,
    sign: async (request, options) => {
      const answer = await client.sign(request, options);
      const sessionId = request.session?.sessionId ?? new Uint8Array(0);
      judge.released(party, sessionId, request.evidence as unknown as Evidence, answer);
      const { parties = [] } = request.session ?? {};
      for (const { scheme } of answer.partials) {
        if (scheme.case !== "schnorr") continue;
        const own = scheme.value.commitments[parties.indexOf(party)];
        if (own !== undefined) judge.committed(party, sessionId, own.body);
      }
      return answer;
    },
  };
}
