import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createInspector } from '../../../../src/local/engine/onnx/inspection/inspector.ts';
import { StepFailed } from '../../../../src/local/service/step-failed.ts';
import { aTensor, ELEM, model } from './build-onnx.ts';

/** Multiplies matrices of this side for as long as that takes. */
const multiplying = (side: number) =>
  model(
    [
      { op_type: 'Expand', input: ['x', 'side'], output: ['a'] },
      ...Array.from({ length: 20 }, (_, index) => ({
        ...{ op_type: 'MatMul', input: [index === 0 ? 'a' : `a${index}`, 'a'], output: [`a${index + 1}`] },
      })),
      { op_type: 'ReduceMax', input: ['a20'], output: ['y'] },
    ],
    {
      input: [aTensor('x', 'FP32', [1])],
      output: [aTensor('y', 'FP32', null)],
      initializer: [{ name: 'side', dims: [2], data_type: ELEM.INT64, int64_data: [side, side] }],
    },
  );

describe('the trial of a model', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'trial-'));
  });
  after(() => rm(dir, { recursive: true }));

  const inspect = async (bytes: Uint8Array, options: Parameters<typeof createInspector>[0]) => {
    const path = join(dir, 'model.onnx');
    await writeFile(path, bytes);
    return createInspector(options)(path, { open: true, signal: new AbortController().signal });
  };

  it('is given up where it takes too long: the model is slow, but can be loaded', async () => {
    expect(await inspect(multiplying(4_000), { timeout_ms: 15_000 })).to.include({ accepted: true });
  });

  it('is a refusal where the model takes more memory than its reader may', async () => {
    const failure = await inspect(multiplying(30_000), { base_memory_bytes: 512 * 1024 * 1024 }).catch(
      (error) => error,
    );
    expect(failure).to.be.instanceOf(StepFailed);
  });
});
