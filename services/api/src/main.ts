import { runService } from "@countersign/runtime";
import { ApiConfig } from "./config.ts";
import { startApi } from "./start-api.ts";

await runService({ name: "api", schema: ApiConfig, start: startApi });
