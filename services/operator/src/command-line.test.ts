import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineVerb, runCommandLine } from "./command-line.ts";
import type { Terminal } from "./terminal.ts";

const calls: unknown[] = [];
const verbs = [
  {
    name: "paint",
    summary: "Paint something",
    load: async () =>
      defineVerb({
        name: "paint",
        argument: "[wall]",
        options: {
          coats: { kind: "number", placeholder: "N", min: 1, max: 3, help: "coats" },
          colour: { kind: "text", placeholder: "NAME", help: "colour" },
          gloss: { kind: "flag", help: "shine" },
        },
        notes: "Dries overnight.",
        async run(values, _terminal, wall) {
          calls.push({ ...values, wall });
          return 7;
        },
      }),
  },
  {
    name: "hidden",
    summary: "Never shown",
    internal: true,
    load: async () =>
      defineVerb({
        name: "hidden",
        options: {},
        run: async () => 0,
      }),
  },
] as const;

/** Runs a command line over the verbs above. */
async function run(...words: string[]) {
  const out: string[] = [];
  const notes: string[] = [];
  calls.length = 0;
  const terminal: Terminal = {
    out: (text) => void out.push(text),
    note: (text) => void notes.push(text),
    coloured: false,
    workingFolder: "/",
    repository: "/",
    node: process.execPath,
    pid: process.pid,
    isRoot: false,
    environment: {},
    interrupted: new AbortController().signal,
  };
  const code = await runCommandLine(verbs, words, terminal);
  return { code, out: out.join("\n"), notes: notes.join("\n"), calls: [...calls] };
}

test("a verb gets its flags by type and its argument, and gives the exit code", async () => {
  const { code, calls } = await run("paint", "north", "--coats", "2", "--colour=deep blue", "--gloss");

  assert.equal(code, 7);
  assert.deepEqual(calls, [{ coats: 2, colour: "deep blue", gloss: true, wall: "north" }]);
});

test("absent flags are false or undefined", async () => {
  const { calls } = await run("paint");

  assert.deepEqual(calls, [{ coats: undefined, colour: undefined, gloss: false, wall: undefined }]);
});

describe("a command line that makes no sense ends with code 2 and a sentence, and does nothing", () => {
  const cases: readonly [words: readonly string[], sentence: RegExp][] = [
    [["pant"], /^countersign: There is no verb "pant"\. Did you mean paint\? Verbs: paint\./],
    [["sculpt"], /^countersign: There is no verb "sculpt"\. Verbs: paint\./],
    [["--paint"], /^countersign: There is no flag "--paint"/],
    [["paint", "--coat", "1"], /There is no flag --coat\. Did you mean --coats\? See `countersign paint --help`\.$/],
    [["paint", "-g"], /There is no flag -g\./],
    [["paint", "--coats"], /--coats needs a value: N\./],
    [["paint", "--colour", "--gloss"], /--colour needs a value: NAME\./],
    [["paint", "--colour="], /--colour needs a value: NAME\./],
    [["paint", "--gloss=yes"], /--gloss takes no value\./],
    [["paint", "--gloss", "--gloss"], /--gloss is given twice\./],
    [["paint", "north", "south"], /"south" is not expected here\./],
    ...["0", "4", "-1", "1.5", "1e0", "0x1", "+1", "01", " 1", "99999999999999999999", "two"].map(
      (value): [string[], RegExp] => [
        ["paint", `--coats=${value}`],
        /--coats must be a whole number from 1 to 3, not "/,
      ],
    ),
  ];
  for (const [words, sentence] of cases) {
    test(words.join(" "), async () => {
      const { code, notes, calls } = await run(...words);

      assert.equal(code, 2);
      assert.match(notes, sentence);
      assert.deepEqual(calls, []);
    });
  }
});

test("the overview lists every verb but the internal ones; without a verb the code is 2", async () => {
  const asked = await run("--help");
  const bare = await run();

  assert.equal(asked.code, 0);
  assert.match(asked.out, /^ {2}paint {2}Paint something$/m);
  assert.doesNotMatch(asked.out, /hidden/);
  assert.equal(bare.code, 2);
  assert.equal(bare.out, asked.out);
});

test("each verb explains its flags, asked either way", async () => {
  const asked = await run("paint", "--help");
  const other = await run("help", "paint");

  assert.equal(asked.code, 0);
  assert.equal(
    asked.out,
    [
      "Usage: countersign paint [wall] [flags]",
      "",
      "Paint something.",
      "",
      "  --coats N      coats",
      "  --colour NAME  colour",
      "  --gloss        shine",
      "  --help         this text",
      "",
      "Dries overnight.",
    ].join("\n"),
  );
  assert.equal(other.out, asked.out);
  assert.deepEqual(asked.calls, []);
});
