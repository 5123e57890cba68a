import { expect } from 'chai';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { createPendingUploads } from '../../../src/api/pending-uploads.ts';
import { createUploadCleanup } from '../../../src/api/upload-cleanup.ts';
import { createCommandHandler, type HandleCommand } from '../../../src/commands/engine/handle.ts';
import { Rejected } from '../../../src/errors.ts';
import { definitionOf } from '../../../src/events/catalog.ts';
import { CommandId, EventId, ModelId, newId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { fact } from '../../commands/fixture.ts';
import { requester, tenant } from '../../commands/given.ts';
import { eventually } from '../../eventually.ts';
import { type Reply, type RunningApi, startApi } from '../running-api.ts';
import { memoryPending } from './memory-pending.ts';

const unavailable = () => new Rejected('unavailable', 'log-unavailable', 'The log cannot be reached.');

/** What an append of a model's first event can come to. */
const FAULTS: Readonly<Record<string, (append: () => Promise<unknown>) => Promise<never>>> = {
  'a mistake in the code': () => Promise.reject(new TypeError('not a stream name')),
  'an error of the database': () => Promise.reject(Object.assign(new Error('invalid input'), { code: '22P02' })),
  'a refusal': () => Promise.reject(new Rejected('conflict', 'event-ids-taken', 'Some ids are taken.')),
  'an error after the append': async (append) => {
    await append();
    throw new Error('thrown later');
  },
  'a lost answer': async (append) => {
    await append();
    throw unavailable();
  },
};
const APPENDED = ['an error after the append', 'a lost answer'];

describe('uploads whose command fails', () => {
  let api: RunningApi;
  let handle: HandleCommand;
  let fault: (append: () => Promise<unknown>) => Promise<unknown> = (append) => append();
  before(async () => {
    api = await startApi({ handle: (...order) => handle(...order) });
    const { log, vault, clock } = api.services;
    const append: Log['append'] = (stream, events, options) => {
      const run = () => log.append(stream, events, options);
      return (stream.startsWith('model-') ? fault(run) : run()) as ReturnType<Log['append']>;
    };
    handle = createCommandHandler({ log: { ...log, append }, vault, clock, findLiveEndpoints: async () => [] });
  });
  after(() => api.close());

  const upload = (name: string, file_name = 'm.onnx'): Promise<Reply> => {
    const form = new FormData();
    form.append('name', name);
    form.append('file', new Blob(['weights']), file_name);
    return api.admin.form('/models/local', form);
  };

  for (const [title, fail] of Object.entries(FAULTS)) {
    it(`leaves the file of a model that was made, and no other: ${title}`, async () => {
      const before = await api.storedFiles();
      fault = fail;
      const reply = await upload(title);
      fault = (append) => append();
      expect(reply.status).to.be.at.least(400);
      const left = (await api.storedFiles()).filter((path) => !before.includes(path));
      // The file and its facts.
      expect(left).to.have.length(APPENDED.includes(title) ? 2 : 0);
    });
  }

  it('keeps the name of the file as it is, whatever it is, beside the safe key', async () => {
    const names = [
      'модель.onnx',
      '模型 (2).onnx',
      '.hidden',
      `${'x'.repeat(20)}.${'y'.repeat(119)}`,
      '-rf.onnx',
      '…',
      '😀'.repeat(255),
    ];
    for (const [index, file_name] of names.entries()) {
      const { status, body } = await upload(`named ${index}`, file_name);
      expect(status, JSON.stringify(body)).to.equal(202);
      expect(body.artefact.file_name).to.equal(file_name);
      expect(body.artefact.object_key).to.match(/^models\/[\w-]+\/[\w-]+\/[\w-]+\/[\w-][\w.-]*$/);
    }
    const before = await api.storedFiles();
    for (const file_name of ['x'.repeat(256), 'a\u0007.onnx']) {
      expect((await upload('refused', file_name)).body).to.include({ status: 422, code: 'invalid-input' });
    }
    expect(await api.storedFiles()).to.deep.equal(before);
  });

  it('leave a note of each file that was not settled when the process was killed', async () => {
    const { pool } = api.services;
    expect((await pool.query('select * from pending_uploads')).rows).to.deep.equal([]);
    const killed = createPendingUploads({ pool, alone: true });
    const file = { key: 'models/killed', stream: `model-${newId(ModelId)}` };
    await killed.add(file);
    expect(await killed.listAbandoned()).to.deep.equal([]);
    expect(await createPendingUploads({ pool, alone: true }).listAbandoned()).to.deep.equal([file]);
    const other = createPendingUploads({ pool, alone: false });
    expect(await other.listAbandoned()).to.deep.equal([]);
    await pool.query("update pending_uploads set started_at = now() - interval '2 days'");
    expect(await other.listAbandoned()).to.deep.equal([file]);
    await other.remove(file.key);
    expect(await other.listAbandoned()).to.deep.equal([]);
  });
});

describe('the cleanup after an upload with an unknown outcome', () => {
  const start = async () => {
    const log = createMemoryLog({ clock: () => new Date().toISOString() });
    const stored = new Set(['models/a']);
    let away = true;
    let reads = 0;
    const reading: Pick<Log, 'readStream'> = {
      readStream: async function* (stream) {
        if (away) throw unavailable();
        try {
          yield* log.readStream(stream);
        } finally {
          reads += 1;
        }
      },
    };
    const cleanup = createUploadCleanup({
      log: reading,
      objects: { remove: async (key) => void stored.delete(key) },
      logger: createLogger({ level: 'silent' }),
      pending: memoryPending(),
      first_check: { first_ms: 10, longest_ms: 20 },
    });
    const back = () => {
      away = false;
    };
    return { log, stored, cleanup, back, reads: () => reads };
  };
  const model_id = newId(ModelId);
  const file = { key: 'models/a', stream: `model-${model_id}` };

  it('waits until the log answers, and removes what no model needs', async () => {
    const { stored, cleanup, back } = await start();
    await cleanup.settle(file, unavailable());
    expect([...stored]).to.deep.equal([file.key]);
    back();
    await eventually('the file is removed', async () => stored.size === 0);
    await cleanup.close();
  });

  it('removes what an upload has left whose process was killed', async () => {
    const { stored, cleanup, back } = await start();
    await cleanup.begin(file);
    await cleanup.sweep();
    expect([...stored]).to.deep.equal([file.key]);
    back();
    await cleanup.sweep();
    expect([...stored]).to.deep.equal([]);
    await cleanup.close();
  });

  it('keeps what a model needs', async () => {
    const { log, stored, cleanup, back, reads } = await start();
    await cleanup.settle(file, unavailable());
    const { data } = fact('LocalModelUploaded', { model_id });
    const command_id = newId(CommandId);
    const actor = { type: 'user', id: requester, name: 'somebody' } as const;
    const meta = {
      tenant_id: tenant,
      command_id,
      command: 'Test',
      correlation_id: command_id,
      causation_id: null,
      actor,
    };
    const { version } = definitionOf('LocalModelUploaded');
    const artefact = { ...data.artefact, object_key: file.key };
    const event = { id: newId(EventId), type: 'LocalModelUploaded', version, data: { ...data, artefact }, meta };
    await log.append(file.stream, [event], { expected: 'none' });
    back();
    await eventually('the log was read', async () => reads() > 0);
    expect([...stored]).to.deep.equal([file.key]);
    await cleanup.close();
  });
});
