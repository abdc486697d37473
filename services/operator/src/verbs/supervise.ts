import { CountersignError } from "@countersign/errors";
import { defineVerb } from "../command-line.ts";
import { superviseHere } from "../network/supervise-here.ts";
import { dataFolderOf } from "./network-flags.ts";
import { planFlags } from "./plan-flags.ts";

/** The background half of `up --detach`; needs a parent that listens. */
export const supervise = defineVerb({
  name: "supervise",
  options: planFlags,
  async run(values, terminal) {
    const { parent } = terminal;
    let line = terminal.note;
    if (parent !== undefined) line = (text) => parent.tell({ kind: "note", line: text });
    const signal = AbortSignal.any([terminal.interrupted, ...(parent === undefined ? [] : [parent.gone])]);
    const report = (text: string) => line(text);
    const onReady = async () => {
      parent?.tell({ kind: "ready" });
      line = (text) => terminal.note(`${new Date().toISOString()} ${text}`);
      parent?.release();
    };
    try {
      const folder = dataFolderOf(values.data, terminal);
      const outcome = await superviseHere(folder, values, terminal, { report, onReady, signal });
      if (outcome === "taken") parent?.tell({ kind: "taken" });
      return 0;
    } catch (error) {
      const code = error instanceof CountersignError ? error.code : "internal";
      parent?.tell({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) });
      throw error;
    }
  },
});
