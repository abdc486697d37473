import { Type } from "typebox";
import type { Api } from "./api.ts";
import { Deployment, deploymentAnswer } from "./deployment.ts";
import { Health, Readiness, ReadinessCheck } from "./health.ts";
import { answers } from "./openapi.ts";
import { NO_QUERY, type Routes } from "./server-routes.ts";

/** Path of the liveness check, which is answered however much else is going on. */
export const HEALTH_PATH = "/health";

/** What anybody may read. */
export function publicRoutes(routes: Routes, api: Api): void {
  const readiness = new ReadinessCheck(api);
  const deployment = deploymentAnswer(api.descriptor);

  routes.get(
    HEALTH_PATH,
    {
      schema: {
        operationId: "getHealth",
        summary: "Whether the process serves HTTP",
        tags: ["Service"],
        querystring: NO_QUERY,
        response: answers(Health),
      },
    },
    () => ({ status: "ok" as const }),
  );

  routes.get(
    "/health/ready",
    {
      schema: {
        operationId: "getReadiness",
        summary: "Whether database and signing network can be reached",
        tags: ["Service"],
        querystring: NO_QUERY,
        response: answers(Readiness),
      },
    },
    () => readiness.ready(),
  );

  routes.get(
    "/countersign/deployment",
    {
      schema: {
        operationId: "getDeployment",
        summary: "The facts of this deployment that a client pins",
        tags: ["Service"],
        querystring: NO_QUERY,
        response: answers(Deployment),
      },
    },
    () => deployment,
  );

  routes.get(
    "/openapi.json",
    {
      schema: {
        operationId: "getOpenApi",
        summary: "This document",
        tags: ["Service"],
        querystring: NO_QUERY,
        response: answers(Type.Object({}, { additionalProperties: true })),
      },
    },
    () => ({ ...routes.swagger() }),
  );
}
