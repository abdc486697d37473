import { defineVerb } from "../command-line.ts";
import { checkData } from "../doctor/check-data.ts";
import { checkMachine } from "../doctor/check-machine.ts";
import type { Finding } from "../doctor/finding.ts";
import { DEFAULTS } from "../network/network-plan.ts";
import { table } from "../table.ts";
import { dataFlag, dataFolderOf, jsonFlag } from "./network-flags.ts";
import { planFlags } from "./plan-flags.ts";

/** Checks what a local network needs; changes nothing. */
export const doctor = defineVerb({
  name: "doctor",
  options: { ...dataFlag, port: planFlags.port, ...jsonFlag },
  notes: "Changes nothing. Exit code 0 when nothing is wrong (warnings allowed), else 1.",
  async run({ data, port = DEFAULTS.port, json }, terminal) {
    const folder = dataFolderOf(data, terminal);
    const findings = [...(await checkMachine(terminal)), ...(await checkData(folder, port, Date.now()))];
    if (json) terminal.out(JSON.stringify(findings));
    else terminal.out(report(findings, terminal.coloured));
    return findings.some(({ verdict }) => verdict === "wrong") ? 1 : 0;
  },
});

const MARKS = { fine: ["ok  ", 32], warning: ["warn", 33], wrong: ["FAIL", 31] } as const;

function report(findings: readonly Finding[], coloured: boolean): string {
  const lines = table(findings.map(({ about, found }) => [about, found]));
  return findings
    .flatMap(({ verdict, fix }, place) => {
      const [mark, colour] = MARKS[verdict];
      const shown = coloured ? `\u001b[${colour}m${mark}\u001b[0m` : mark;
      return [`${shown}  ${lines[place]}`, ...(fix === undefined ? [] : [`      -> ${fix}`])];
    })
    .join("\n");
}
