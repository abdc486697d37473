import { Type } from "typebox";
import type { Api } from "../api.ts";
import { Capacity } from "../capacity.ts";
import { apiError } from "../errors.ts";
import { requireKey } from "../keys/key-rows.ts";
import { APPROVED, answers, BEARER } from "../openapi.ts";
import { PageParameters, pageQuery } from "../pages.ts";
import { approvedBody, callerOf, consumeOf, NO_QUERY, type Routes, remainingMs } from "../server-routes.ts";
import { listSignatures, requireSignature, signatureAnswer } from "./signature-rows.ts";
import { Signature, SignatureBody } from "./signature-schema.ts";
import { SIGN_MS_MAX, type Signing } from "./signing.ts";

/** Under what an orchestrator takes from one caller, so that it is this door that says when to come again. */
const SIGNATURES_MAX = 96;

/** Signatures (reference, sections 3.3 and 3.4). */
export function signatureRoutes(routes: Routes, api: Api, signing: Signing): void {
  const capacity = new Capacity(SIGNATURES_MAX, () =>
    apiError("requests_too_many", `${SIGNATURES_MAX} signatures are being made already.`),
  );

  routes.post(
    "/keys/:keyId/signatures",
    {
      schema: {
        operationId: "createSignature",
        summary: "Sign with a key",
        tags: ["Signatures"],
        security: APPROVED,
        params: Type.Object({ keyId: Type.String() }),
        querystring: NO_QUERY,
        body: SignatureBody,
        response: answers(Signature),
      },
      validatorCompiler: approvedBody,
    },
    (request, reply) =>
      // The place is taken first: a token must not be spent on a request that cannot start.
      capacity.run(async () =>
        signing.sign(callerOf(request), await consumeOf(api, request), remainingMs(reply, SIGN_MS_MAX)),
      ),
  );

  routes.get(
    "/keys/:keyId/signatures",
    {
      schema: {
        operationId: "listSignatures",
        summary: "List a key's signatures, newest first",
        tags: ["Signatures"],
        security: BEARER,
        params: Type.Object({ keyId: Type.String() }),
        querystring: PageParameters,
        response: answers(
          Type.Object(
            { keyId: Type.String(), items: Type.Array(Signature), nextPageToken: Type.Optional(Type.String()) },
            { additionalProperties: false },
          ),
        ),
      },
    },
    (request) => {
      const { orgId } = callerOf(request);
      const { keyId } = request.params;
      return api.database.inOrganisation(orgId, async (rows) => {
        await requireKey(rows, orgId, keyId);
        return { keyId, ...(await listSignatures(rows, { orgId, keyId }, pageQuery(request.query))) };
      });
    },
  );

  routes.get(
    "/keys/:keyId/signatures/:signatureId",
    {
      schema: {
        operationId: "getSignature",
        summary: "Get a signature",
        tags: ["Signatures"],
        security: BEARER,
        params: Type.Object({ keyId: Type.String(), signatureId: Type.String() }),
        querystring: NO_QUERY,
        response: answers(Signature),
      },
    },
    async (request) => {
      const { orgId } = callerOf(request);
      const row = await api.database.inOrganisation(orgId, (rows) =>
        requireSignature(rows, { orgId, ...request.params }),
      );
      return signatureAnswer(row);
    },
  );
}
