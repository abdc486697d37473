import type { JsonValue } from "@countersign/bytes";

/** Whether two strictly parsed JSON texts say the same: the order of members and the spacing do not count, all else does. */
export function isSameValue(a: JsonValue, b: JsonValue): boolean {
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return a === b;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((value, place) => isSameValue(value, b[place] ?? null))
    );
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => name in b && isSameValue(a[name] ?? null, b[name] ?? null))
  );
}
