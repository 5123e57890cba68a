import { compareReports, type Sight } from '../../src/processes/watch/compare.ts';
import { anEndpoint, reported } from '../processes/watch/watched.ts';
import { type BenchLine, compare, type Run, timed } from './measure.ts';

const FEW = 1000;
const MANY = 10_000;
/** Endpoints that are compared in one run, of either kind. */
const COMPARED = 100_000;
const ROUNDS = 7;

const both = [reported('w-1'), reported('w-2')];
/** Most are as they should be; the others have lost a worker, have one too many, or are gone. */
const SIGHTS: readonly Sight[] = [...Array<Sight>(7).fill(both), both.slice(0, 1), [...both, reported('stray')], null];

const reportsOf = (count: number) => {
  const endpoints = Array.from({ length: count }, (_, index) => anEndpoint({ id: `endpoint-${index}` }));
  const sights = new Map(endpoints.map(({ id }, index) => [id, SIGHTS[index % SIGHTS.length] ?? null]));
  return { endpoints, sights };
};

const comparing = ({ endpoints, sights }: ReturnType<typeof reportsOf>): Promise<Run> =>
  timed(COMPARED, async () => {
    for (let done = 0; done < COMPARED; done += endpoints.length) {
      const found = compareReports(endpoints, sights).filter(({ report }) => report !== null);
      if (found.length !== endpoints.length * 0.3) throw new Error(`${found.length} of ${endpoints.length} differ`);
    }
  });

/** The line of the status watch: comparing ten times as many reports must take at most twelve times as long. */
export const benchReports = (): Promise<BenchLine> => {
  const [few, many] = [reportsOf(FEW), reportsOf(MANY)];
  return compare(
    { what: 'reports compared, of 10,000 endpoints against 1,000', goal: 0.834, unit: 'endpoints/s', rounds: ROUNDS },
    { baseline: () => comparing(few), ours: () => comparing(many) },
  );
};
