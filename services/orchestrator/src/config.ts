import { settings } from "@countersign/runtime";
import { type Static, Type } from "typebox";

/** Configuration file of an orchestrator. */
export const OrchestratorConfig = Type.Object(
  {
    name: Type.String({ minLength: 1, description: "name in certificates and on the bus" }),
    descriptor: settings.path,
    nats: settings.nats,
    listen: settings.listen,
    tls: settings.tls,
    signers: Type.Array(
      Type.Object(
        { nodeId: Type.String({ minLength: 1 }), address: Type.String({ minLength: 1 }) },
        { additionalProperties: false },
      ),
      { minItems: 2 },
    ),
    coordination: Type.String({
      pattern: "^(memory://$|rediss?://)",
      description: "memory:// for a single orchestrator, else redis://…",
    }),
    logLevel: Type.Optional(settings.logLevel),
  },
  { additionalProperties: false },
);

export type OrchestratorConfig = Static<typeof OrchestratorConfig>;
