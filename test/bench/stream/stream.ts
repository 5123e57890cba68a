import type { ServedProcess } from '../http.ts';
import type { Latency } from '../latency.ts';
import type { BenchLine } from '../measure.ts';
import { benchFanOut } from './fan-out.ts';
import { benchReplay } from './replay.ts';

/** The lines of the live stream: what a frame to many clients costs, and how fast a user's own history comes. */
export const benchStream = async (served: ServedProcess): Promise<{ lines: BenchLine[]; latencies: Latency[] }> => {
  const fanOut = await benchFanOut(served);
  const replay = await benchReplay(served);
  return { lines: [...fanOut.lines, replay.line], latencies: [...fanOut.latencies, replay.latency] };
};
