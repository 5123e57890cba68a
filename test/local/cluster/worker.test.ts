import { expect } from 'chai';
import { createWorker, type Worker } from '../../../src/local/cluster/worker.ts';
import { onnxRuntime } from '../../../src/local/engine/onnx/onnx-runtime.ts';
import { eventually } from '../../eventually.ts';
import { MODEL } from './cluster-client.ts';

const pidOf = (worker: Worker): number | undefined => {
  const state = worker.state();
  return state.status === 'ready' ? state.replica.pid : undefined;
};

const launch = (onLine: (line: string) => void) =>
  onnxRuntime.launch({ model_file: MODEL, model_name: 'angle', marker: 'worker-test', onLine });

describe('a worker', () => {
  it('is the last choice from when a request had no answer until its probe is answered', async () => {
    const answers: ((alive: boolean) => void)[] = [];
    const worker = createWorker({
      ...{ id: 'worker-1', name: 'worker', launch, onChange: () => undefined },
      isAlive: () => new Promise<boolean>((resolve) => answers.push(resolve)),
      probe: { interval_ms: 3_600_000, timeout_ms: 3_600_000, missed_until_lost: 2, missed_until_killed: 3 },
    });
    worker.start();
    await worker.firstReady;
    const { port = 0, lost } = worker.serving() ?? {};
    worker.suspect(port + 1);
    expect(worker.serving()).to.include({ port, suspected: false });
    worker.suspect(port);
    expect(worker.serving()).to.include({ port, suspected: true });
    answers[0]?.(true);
    await eventually('it is trusted again', () => expect(worker.serving()).to.include({ suspected: false }));
    expect(lost?.aborted).to.equal(false);

    worker.suspect(port);
    answers[1]?.(false);
    // The probe that is missed first may come from a busy machine.
    await eventually('it is asked again', () => {
      expect(worker.serving()).to.include({ port, suspected: true });
      worker.suspect(port);
      expect(answers).to.have.length(3);
      return true;
    });
    expect(lost?.aborted).to.equal(false);
    answers[2]?.(false);
    await eventually('it is out of the rotation', () => expect(worker.serving()).to.equal(null));
    expect(lost?.aborted).to.equal(true);
    expect(worker.state().status).to.equal('unresponsive');
    await worker.stop();
  });

  it('is restarted when its process runs but does not answer', async () => {
    const waiting = new Set<() => void>();
    const worker = createWorker({
      id: 'worker-1',
      name: 'worker',
      launch,
      isAlive: onnxRuntime.isAlive,
      onChange: () => {
        for (const check of waiting) check();
      },
      probe: { interval_ms: 50, timeout_ms: 200, missed_until_lost: 1, missed_until_killed: 3 },
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
