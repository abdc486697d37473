import type { Figure } from "./figure.ts";
import type { Row } from "./rows.ts";

const COLUMNS = ["figure", "value", "unit", "target", "reached", "min–max", "runs"];

/** The figures as an aligned table for people, below it what each one is. */
export function tableOf(rows: readonly Row[], figures: readonly Figure[]): string {
  const cells = figures.map((figure) => {
    const row = rows.find(({ name }) => name === figure.name);
    const range = `${figure.min}–${figure.max}`;
    const value = `${figure.value}`;
    return [figure.name, value, figure.unit, targetOf(row), verdictOf(row, figure), range, `${figure.runs}`];
  });
  const lines = aligned([COLUMNS, ...cells]);
  const meanings = aligned(
    rows.filter(({ name }) => figures.some((one) => one.name === name)).map(({ name, what }) => [name, what]),
  );
  return [...lines, "", ...meanings].join("\n");
}

function targetOf(row: Row | undefined): string {
  if (row?.target === undefined) return "";
  return "atMost" in row.target ? `<= ${row.target.atMost}` : `>= ${row.target.atLeast}`;
}

function verdictOf(row: Row | undefined, { value }: Figure): string {
  if (row?.target === undefined) return "";
  const reached = "atMost" in row.target ? value <= row.target.atMost : value >= row.target.atLeast;
  return reached ? "yes" : "no";
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
