import { expect } from 'chai';
import { createWorker, type Worker } from '../../../src/local/cluster/worker.ts';
import { onnxRuntime } from '../../../src/local/engine/onnx/onnx-runtime.ts';
import { MODEL } from './cluster-client.ts';

const pidOf = (worker: Worker): number | undefined => {
  const state = worker.state();
  return state.status === 'ready' ? state.replica.pid : undefined;
};

describe('a worker', () => {
  it('is restarted when its process runs but does not answer', async () => {
    const waiting = new Set<() => void>();
    const worker = createWorker({
      id: 'worker-1',
      name: 'worker',
      launch: (onLine) => onnxRuntime.launch({ model_file: MODEL, model_name: 'angle', marker: 'worker-test', onLine }),
      isAlive: onnxRuntime.isAlive,
      onChange: () => {
        for (const check of waiting) check();
      },
      probe: { interval_ms: 50, timeout_ms: 200 },
    });
    worker.start();
    await worker.firstReady;
    const frozen = pidOf(worker) ?? 0;
    const restarted = new Promise<void>((resolve) => {
      waiting.add(() => {
        const pid = pidOf(worker);
        if (pid !== undefined && pid !== frozen) resolve();
      });
    });
    process.kill(frozen, 'SIGSTOP');
    await restarted;
    expect(worker.logs.list().join('\n')).to.match(/no answer to 3 health probes[\s\S]*was ended by SIGKILL/);
    expect(worker.reason()).to.match(/^worker was ended by SIGKILL/);
    await worker.stop();
    expect(worker.state().status).to.equal('stopped');
  });
});
