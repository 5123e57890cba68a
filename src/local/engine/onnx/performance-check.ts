import { z } from 'zod';
import { failureText } from '../../../failures/failure-text.ts';
import type { PerformanceCheck } from '../engine.ts';
import { ATTEMPTS, type SampleTensors, sampleTensors } from './tensors/sample-tensors.ts';

const Metadata = z.looseObject({
  inputs: z.array(
    z.looseObject({
      name: z.string(),
      datatype: z.string(),
      shape: z.array(z.number()),
      parameters: z.looseObject({ any_rank: z.boolean().optional() }).optional(),
    }),
  ),
});

const CALLS = 5;
const TIMEOUT_MS = 20_000;

const describe = (tensors: SampleTensors): string =>
  tensors.map(({ name, shape }) => `${name} ${JSON.stringify(shape)}`).join(', ');

/** The protocol's error body. */
const Refusal = z.object({ error: z.string() });

interface Checked {
  /** `.../v2/models/<name>` */
  url: string;
  headers: Readonly<Record<string, string>>;
}

const infer = async ({ url, headers }: Checked, body: string, signal: AbortSignal): Promise<string | null> => {
  const response = await fetch(`${url}/infer`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body,
    signal,
  });
  if (response.ok) {
    await response.arrayBuffer();
    return null;
  }
  const refusal: unknown = await response.json().catch(() => null);
  return (Refusal.safeParse(refusal).data?.error ?? `it answers ${response.status}`).slice(0, 300);
};

const measure = async (model: Checked, body: string, signal: AbortSignal): Promise<number> => {
  const startedAt = performance.now();
  for (let call = 0; call < CALLS; call += 1) await infer(model, body, signal);
  return Math.round(((performance.now() - startedAt) / CALLS) * 100) / 100;
};

/** Runs the model on zeros through its public URL and measures the mean latency in milliseconds. */
export const checkPerformance = async (model: Checked, cancelled: AbortSignal): Promise<PerformanceCheck> => {
  const signal = AbortSignal.any([cancelled, AbortSignal.timeout(TIMEOUT_MS)]);
  let reason = 'it was not tried';
  try {
    const { inputs } = Metadata.parse(await (await fetch(model.url, { signal, headers: model.headers })).json());
    for (const attempt of ATTEMPTS) {
      const tensors = sampleTensors(inputs, attempt);
      if (tensors === null) break;
      const body = JSON.stringify({ inputs: tensors });
      const refusal = await infer(model, body, signal);
      if (refusal === null) {
        return {
          measured: true,
          mean_latency_ms: await measure(model, body, signal),
          inputs: `zeros for ${describe(tensors)}`,
          calls: CALLS,
        };
      }
      reason = refusal;
    }
  } catch (error) {
    cancelled.throwIfAborted();
    reason = failureText(error);
  }
  return { measured: false, reason: `the model does not run on zeros (${reason})` };
};
