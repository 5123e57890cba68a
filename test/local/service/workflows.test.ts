import { expect } from 'chai';
import type { Notification } from '../../../src/contracts/notification.ts';
import type { Plan } from '../../../src/local/service/plan.ts';
import { StepFailed } from '../../../src/local/service/step-failed.ts';
import type { WorkflowRecord, WorkflowRecords } from '../../../src/local/service/workflow-records.ts';
import { createWorkflows } from '../../../src/local/service/workflows.ts';
import { eventually } from '../../eventually.ts';
import { failureOf, resultOf, silent, storyOf } from '../receiver.ts';

interface Options {
  perform: (id: string, signal: AbortSignal) => Promise<void>;
  publish?: (message: Notification) => Promise<void>;
  one_at_a_time?: boolean;
  done_again?: (input: string) => boolean;
}

const STORY = ['eta RUNNING', 'work STARTED', 'work COMPLETED', 'results COMPLETED'];

describe('the workflows of a local service', () => {
  const kept = new Map<string, WorkflowRecord<string>>();
  const received: Notification[] = [];
  const undone: string[] = [];
  beforeEach(() => {
    kept.clear();
    received.length = 0;
    undone.length = 0;
  });

  const records: WorkflowRecords<string> = {
    find: async (id) => kept.get(id) ?? null,
    write: async (record) => void kept.set(record.id, record),
    unfinished: () => [...kept.values()].filter((record) => record.status === 'running' || !record.told),
  };
  const planOf = (id: string, perform: Options['perform']): Plan => ({
    ...{ name: 'work', type: 'work', title: null, eta_minutes: 1, failure_result: { id } },
    to: { name: 'bud-internal', subscriber_ids: 'user-1', workflow_id: id },
    steps: [{ id: 'work', title: 'Work', description: 'Something is done' }],
    perform: ({ signal, step }) =>
      step('work', async () => {
        await perform(id, signal);
        return { message: 'worked', value: `made ${id}` };
      }),
    async undo() {
      undone.push(id);
    },
  });
  const open = ({ perform, publish, one_at_a_time = false, done_again = () => false }: Options) =>
    createWorkflows<string>({
      records,
      idOf: (id) => id,
      planOf: (id) => planOf(id, perform),
      wording: {
        sender: { source: 's', source_topic: 't' },
        eta_first: true,
        started: ({ description }) => description,
        fault: () => 'our fault',
      },
      publish: publish ?? (async (message) => void received.push(message)),
      one_at_a_time,
      done_again,
      log: silent,
    });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const waitForAbort = (_id: string, signal: AbortSignal) =>
    new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

  it('are told by their steps, and their result can be asked for', async () => {
    const workflows = open({ perform: async () => {} });
    expect(await workflows.start('w')).to.include({ workflow_id: 'w', workflow_name: 'work', eta: 1 });
    await settled();
    expect(storyOf(received, 'w')).to.deep.equal(STORY);
    expect(await workflows.findResult('w')).to.equal('made w');
  });

  it('are undone where a step fails, and give its reason; a fault of ours is not shown', async () => {
    const failing = (error: Error) => open({ perform: () => Promise.reject(error) });
    await failing(new StepFailed('no room')).start('refused');
    await failing(new Error('ECONNREFUSED at 10.0.0.1')).start('broken');
    await settled();
    expect(failureOf(received, 'refused', 'work')).to.equal('no room');
    expect(failureOf(received, 'broken', 'work')).to.equal('our fault');
    expect(resultOf(received, 'broken')).to.deep.include({ status: 'FAILED', result: { id: 'broken' } });
    expect(undone).to.deep.equal(['refused', 'broken']);
  });

  it('are done again where they have failed, are repeated, and the service says so', async () => {
    let attempts = 0;
    const perform = async () => {
      attempts += 1;
      if (attempts === 1) throw new StepFailed('no room');
    };
    const workflows = open({ perform, done_again: (input) => input === 'removal' });
    await workflows.start('removal');
    await settled();
    await workflows.start('removal');
    await settled();
    expect(storyOf(received, 'removal').at(-1)).to.equal('results COMPLETED');
    await workflows.start('removal');
    await settled();
    expect(attempts).to.equal(2);
  });

  it('stay running where their messages cannot be kept, and go on with the next request', async () => {
    let isFull = true;
    const workflows = open({
      perform: async () => {},
      publish: async (message) => {
        if (isFull) throw new Error('ENOSPC');
        received.push(message);
      },
    });
    await workflows.start('w');
    await settled();
    expect(kept.get('w')?.status).to.equal('running');
    expect(undone).to.deep.equal([]);
    isFull = false;
    await workflows.start('w');
    await settled();
    expect(storyOf(received, 'w')).to.deep.equal(STORY);
  });

  it('go on in the next life where the service closes, and are told where they had only ended', async () => {
    const closing = open({ perform: waitForAbort });
    await closing.start('w');
    await settled();
    await closing.close();
    expect([kept.get('w')?.status, undone]).to.deep.equal(['running', []]);

    let isFull = true;
    const untold = open({
      perform: async () => {},
      publish: async ({ payload }) => {
        if (isFull && payload?.event === 'results') throw new Error('ENOSPC');
      },
    });
    untold.resume();
    await settled();
    expect(kept.get('w')).to.include({ status: 'ended', told: false });
    isFull = false;
    open({ perform: () => Promise.reject(new Error('must not run again')) }).resume();
    await settled();
    expect(storyOf(received, 'w').at(-1)).to.equal('results COMPLETED');
    expect(kept.get('w')).to.include({ told: true });
  });

  it('leave nothing where they are cancelled: in flight, done, or broken', async () => {
    const workflows = open({ perform: (id, signal) => (id === 'done' ? Promise.resolve() : waitForAbort(id, signal)) });
    for (const id of ['done', 'flying']) await workflows.start(id);
    kept.set('broken', { id: 'broken', input: 'broken', status: 'running' });
    await settled();
    for (const id of ['flying', 'done', 'broken']) expect(await workflows.cancel(id)).to.equal('ended');
    expect(undone).to.deep.equal(['flying', 'done', 'broken']);
    expect([...kept.values()].map((record) => record.status === 'ended' && record.outcome)).to.deep.equal(
      Array(3).fill('cancelled'),
    );
    expect(await workflows.cancel('unknown')).to.equal('unknown');
    expect(storyOf(received, 'flying')).not.to.include('results COMPLETED');
  });

  it('run at once, or one after the other, as the service wants', async () => {
    for (const one_at_a_time of [false, true]) {
      let running = 0;
      let most = 0;
      const workflows = open({
        one_at_a_time,
        async perform() {
          running += 1;
          most = Math.max(most, running);
          await settled();
          running -= 1;
        },
      });
      const names = [1, 2, 3].map((number) => `${one_at_a_time} ${number}`);
      await Promise.all(names.map((name) => workflows.start(name)));
      for (const name of names) await eventually(`${name} has ended`, () => workflows.findResult(name));
      expect(most).to.equal(one_at_a_time ? 1 : 3);
    }
  });
});
