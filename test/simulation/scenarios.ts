import { runHistory } from "./run-history.ts";

/** What a seed came to, in numbers. */
export type Figures = Readonly<Record<string, number>>;

/** What workers can run, by name. */
export const SCENARIOS = {
  faults: async (seed: number): Promise<Figures> => {
    const { fingerprint: _, ...figures } = await runHistory(seed);
    return figures;
  },
};

export type ScenarioName = keyof typeof SCENARIOS;
