import { setTimeout as sleep } from 'node:timers/promises';

/** What `/health/ready` of one process said when it was asked at one moment. */
interface Sample {
  at: number;
  url: string;
  status: number;
  /** By dependency: whether it said that it can be used. */
  dependencies: Readonly<Record<string, boolean>>;
}

const EVERY_MS = 400;
/** It asks each system, which may take it some seconds. */
const PATIENCE_MS = 20_000;

interface Answer {
  dependencies: { name: string; ok: boolean }[];
}

const ask = async (url: string): Promise<Sample | null> => {
  // Not the moment of the answer, which may have been found out long before it came.
  const at = Date.now();
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const { dependencies = [] } = (await response.json()) as Partial<Answer>;
    const by_name = Object.fromEntries(dependencies.map(({ name, ok }) => [name, ok]));
    return { at, url, status: response.status, dependencies: by_name };
  } catch {
    // A process that was killed tells nothing, which is no lie.
    return null;
  }
};

/** Asks each process again and again how it does, and keeps the answers. */
export const watchHealth = (urls: readonly string[]) => {
  const samples: Sample[] = [];
  let stopped = false;
  const watch = async (url: string): Promise<void> => {
    while (!stopped) {
      const sample = await ask(url);
      if (sample) samples.push(sample);
      await sleep(EVERY_MS);
    }
  };
  const watching = Promise.all(urls.map(watch));
  return {
    /** What was said of a dependency between two moments: how often that it is there, and how often that it is not. */
    saidOf(dependency: string, from: number, to: number) {
      const said = samples.filter(({ at, dependencies }) => at >= from && at <= to && dependency in dependencies);
      const there = said.filter(({ dependencies }) => dependencies[dependency]).length;
      return { there, missing: said.length - there };
    },
    async stop(): Promise<void> {
      stopped = true;
      await watching;
    },
  };
};
