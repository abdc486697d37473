import { runHistory } from "./run-history.ts";
import { runHostileHistory } from "./run-hostile-history.ts";

/** What a seed came to, in numbers. */
export type Figures = Readonly<Record<string, number>>;

/** What workers can run, by name. */
export const SCENARIOS = {
  faults: async (seed: number): Promise<Figures> => {
    const { fingerprint: _, ...figures } = await runHistory(seed);
    return figures;
  },
  hostile: (seed: number): Promise<Figures> => runHostileHistory(seed),
};

export type ScenarioName = keyof typeof SCENARIOS;
