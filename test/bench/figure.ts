/** One measured figure, as `bench --json` prints it. */
export interface Figure {
  readonly name: string;
  /** Median of the runs, or another statistic where the row says so. */
  readonly value: number;
  readonly unit: string;
  /** Samples that the value is taken from. */
  readonly runs: number;
  readonly min: number;
  readonly max: number;
  /** Measures this figure alone. */
  readonly command: string;
}

/** Statistic that stands for all samples. */
export type Statistic = "median" | "p99";

/** Digits kept: more would be noise. */
const DIGITS = 4;

/** Sums samples up; at least one. */
export function figureOf(
  row: { readonly name: string; readonly unit: string; readonly statistic?: Statistic },
  samples: readonly number[],
): Figure {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (part: number) =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN);
  const value = row.statistic === "p99" ? at(0.99) : rounded(median(sorted));
  const command = `./countersign bench --only ${row.name}`;
  return { name: row.name, value, unit: row.unit, runs: sorted.length, min: at(0), max: at(1), command };
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return (low + high) / 2;
}

function rounded(value: number): number {
  // Counts are exact; digits of a measured time beyond these are noise.
  return Number.isInteger(value) ? value : Number(value.toPrecision(DIGITS));
}
