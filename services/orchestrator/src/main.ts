import { runService } from "@countersign/runtime";
import { OrchestratorConfig } from "./config.ts";
import { startOrchestrator } from "./start-orchestrator.ts";

await runService({ name: "orchestrator", schema: OrchestratorConfig, start: startOrchestrator });
