import type { Api } from "../api.ts";
import { Capacity } from "../capacity.ts";
import { apiError } from "../errors.ts";
import { answers, BEARER } from "../openapi.ts";
import { callerOf, NO_QUERY, type Routes } from "../server-routes.ts";
import { ActionBody, ActionChallenge, ActionInitBody, UserAction } from "./action-schema.ts";
import { approveAction } from "./approve-action.ts";
import { issueChallenge } from "./issue-challenge.ts";

/** Verifications and challenges at once: each is under a millisecond of work, so more would only wait inside. */
const ACTIONS_MAX = 128;

/** User action signing (reference, section 2.4). */
export function actionRoutes(routes: Routes, api: Api): void {
  const capacity = new Capacity(ACTIONS_MAX, () =>
    apiError("requests_too_many", `${ACTIONS_MAX} user actions are being handled already.`),
  );

  routes.post(
    "/auth/action/init",
    {
      schema: {
        operationId: "createUserActionChallenge",
        summary: "Ask for the challenge that approves one request",
        tags: ["User actions"],
        security: BEARER,
        querystring: NO_QUERY,
        body: ActionInitBody,
        response: answers(ActionChallenge),
      },
    },
    (request) => capacity.run(() => issueChallenge(api, callerOf(request), request.body)),
  );

  routes.post(
    "/auth/action",
    {
      schema: {
        operationId: "createUserActionToken",
        summary: "Exchange a signed challenge for a single-use token",
        tags: ["User actions"],
        security: BEARER,
        querystring: NO_QUERY,
        body: ActionBody,
        response: answers(UserAction),
      },
    },
    (request) => capacity.run(() => approveAction(api, callerOf(request), request.body)),
  );
}
