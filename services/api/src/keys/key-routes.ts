import { Type } from "typebox";
import type { Api } from "../api.ts";
import { Capacity } from "../capacity.ts";
import { apiError } from "../errors.ts";
import { APPROVED, answers, BEARER } from "../openapi.ts";
import { PageParameters, pageQuery } from "../pages.ts";
import { approvedBody, callerOf, consumeOf, NO_QUERY, type Routes, remainingMs } from "../server-routes.ts";
import { CREATE_KEY_MS_MAX, type KeyCreations } from "./key-creations.ts";
import { keyAnswer, listKeys, requireKey } from "./key-rows.ts";
import { CreateKeyBody, Key, KeyWithStore } from "./key-schema.ts";

/** Each needs every node for several rounds; more at once would only make all of them late. */
const CREATIONS_MAX = 16;
/** There is one store: the signer network itself. */
const STORE_ID = "countersign";

const KeyParameters = Type.Object({ keyId: Type.String() });

/** Keys (reference, section 3.1). */
export function keyRoutes(routes: Routes, api: Api, keyCreations: KeyCreations): void {
  const capacity = new Capacity(CREATIONS_MAX, () =>
    apiError("requests_too_many", `${CREATIONS_MAX} keys are being created already.`),
  );

  routes.post(
    "/keys",
    {
      schema: {
        operationId: "createKey",
        summary: "Create a key whose shares never meet",
        tags: ["Keys"],
        security: APPROVED,
        querystring: NO_QUERY,
        body: CreateKeyBody,
        response: answers(Key),
      },
      validatorCompiler: approvedBody,
    },
    (request, reply) =>
      // The place is taken first: a token must not be spent on a request that cannot start.
      capacity.run(async () =>
        keyCreations.create(await consumeOf(api, request), remainingMs(reply, CREATE_KEY_MS_MAX)),
      ),
  );

  routes.get(
    "/keys",
    {
      schema: {
        operationId: "listKeys",
        summary: "List keys, newest first",
        tags: ["Keys"],
        security: BEARER,
        querystring: PageParameters,
        response: answers(
          Type.Object(
            { items: Type.Array(Key), nextPageToken: Type.Optional(Type.String()) },
            { additionalProperties: false },
          ),
        ),
      },
    },
    (request) => {
      const { orgId } = callerOf(request);
      return api.database.inOrganisation(orgId, (rows) => listKeys(rows, orgId, pageQuery(request.query)));
    },
  );

  routes.get(
    "/keys/:keyId",
    {
      schema: {
        operationId: "getKey",
        summary: "Get a key",
        tags: ["Keys"],
        security: BEARER,
        params: KeyParameters,
        querystring: NO_QUERY,
        response: answers(KeyWithStore),
      },
    },
    async (request) => {
      const { orgId } = callerOf(request);
      const { keyId } = request.params;
      const row = await api.database.inOrganisation(orgId, (rows) => requireKey(rows, orgId, keyId));
      return { ...keyAnswer(row), wallets: [], store: { id: STORE_ID, kind: "Mpc" as const, keyId } };
    },
  );
}
