/** One line of the demo's JSON answer. */
export interface DemoStep {
  readonly step: string;
  readonly ms: number;
  readonly [fact: string]: string | number;
}

/** Width of the column of headings. */
const HEADING_WIDTH = 12;

/** Prints the demo for people as it goes, and keeps its steps for `--json`. */
export class DemoReport {
  readonly steps: DemoStep[] = [];
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** A new part: its heading and what happens in it. */
  part(heading: string, text: string): void {
    this.#print(`\n${heading.padEnd(HEADING_WIDTH)}${text}`);
  }

  /** A line below the heading. */
  line(text: string): void {
    this.#print(`${" ".repeat(HEADING_WIDTH)}${text}`);
  }

  /** Times a step and keeps it with the facts it yields. */
  async timed<T>(
    step: string,
    work: () => Promise<T>,
    facts: (value: T) => Record<string, string | number>,
  ): Promise<{ value: T; took: string }> {
    const start = performance.now();
    const value = await work();
    const ms = Math.round(performance.now() - start);
    this.steps.push({ step, ms, ...facts(value) });
    return { value, took: duration(ms) };
  }
}

/** `87 ms` or `4.2 s`, of equal width. */
export function duration(ms: number): string {
  return (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`).padStart(6);
}
