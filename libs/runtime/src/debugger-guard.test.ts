import assert from "node:assert/strict";
import { test } from "node:test";
import { refuseDebugger } from "./debugger-guard.ts";

const CLEAN = { nodeOptions: [], environmentOptions: undefined, inspectorUrl: undefined };

test("a plain start is accepted", () => {
  refuseDebugger(CLEAN);
  refuseDebugger({ ...CLEAN, environmentOptions: " ", nodeOptions: ["--disable-sigusr1", "--max-old-space-size=500"] });
});

test("a start that lets someone look into the process is refused", () => {
  const options = [
    "--inspect",
    "--inspect-brk=0",
    "--inspect-port=1",
    "--heapsnapshot-signal=SIGUSR2",
    "--prof",
    "--require=x",
  ];

  for (const option of options)
    assert.throws(() => refuseDebugger({ ...CLEAN, nodeOptions: [option] }), { code: "debugger_refused" }, option);
  assert.throws(() => refuseDebugger({ ...CLEAN, environmentOptions: "--inspect" }), { code: "debugger_refused" });
  assert.throws(() => refuseDebugger({ ...CLEAN, inspectorUrl: "ws://127.0.0.1:9229/x" }), {
    code: "debugger_refused",
  });
});
