import { runService } from "@countersign/runtime";
import { SignerConfig } from "./config.ts";
import { startSigner } from "./start-signer.ts";

await runService({ name: "signer", schema: SignerConfig, guarded: true, start: startSigner });
