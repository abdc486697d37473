/** Long work in pieces: it yields between them, so that whoever runs it may let others have the processor. */
export type Steps<Result> = Generator<void, Result, void>;

/** Lets the event loop serve others. */
export type Pause = () => Promise<void>;

/** Runs all pieces without a break. */
export function runAtOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Pauses between the pieces; without a `pause` it goes on at once. */
export async function runWithPauses<Result>(steps: Steps<Result>, pause: Pause | undefined): Promise<Result> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await pause?.();
  }
}
