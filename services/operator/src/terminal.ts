/** What a verb may know of the process it runs in; `main.ts` makes the real one. */
export interface Terminal {
  /** Prints one line (or block) of the answer to standard output. */
  out(text: string): void;
  /** Prints one line for people to standard error: progress, warnings. */
  note(text: string): void;
  /** Whether standard output is a terminal that shows colours. */
  readonly coloured: boolean;
  /** Folder the command was called from; relative paths start here. */
  readonly workingFolder: string;
  /** Root of the repository. */
  readonly repository: string;
  /** Absolute path of the Node that runs this. */
  readonly node: string;
  /** Id of this process. */
  readonly pid: number;
  /** Whether this process may install packages. */
  readonly isRoot: boolean;
  /** Environment of the command. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborts on Ctrl-C, SIGTERM and SIGHUP. A second signal ends the process at once. */
  readonly interrupted: AbortSignal;
  /** The command that started this process and waits for its word; only `supervise` has one. */
  readonly parent?: {
    tell(message: ParentMessage): void;
    /** Lets the parent go; it has heard all it waits for. */
    release(): void;
    /** Aborts when the parent is gone before it was released. */
    readonly gone: AbortSignal;
  };
}

/** What a background supervisor tells the `up` that started it. */
export type ParentMessage =
  | { readonly kind: "note"; readonly line: string }
  | { readonly kind: "ready" }
  | { readonly kind: "taken" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
