/** What one check of `doctor` found. */
export interface Finding {
  /** What was looked at. */
  readonly about: string;
  readonly verdict: "fine" | "warning" | "wrong";
  readonly found: string;
  /** What to do about it, when something should be done. */
  readonly fix?: string;
}
