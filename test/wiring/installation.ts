import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { createHttpInvoker } from '../../src/adapters/http-invoker.ts';
import { createVault } from '../../src/adapters/postgres/vault.ts';
import { createCommandHandler } from '../../src/commands/engine/handle.ts';
import { uploadLocalModel } from '../../src/commands/model/upload-local-model.ts';
import { recordServiceMessage } from '../../src/commands/workflow/internal/record-service-message.ts';
import type { Position, RecordedEvent } from '../../src/events/event.ts';
import { CommandId, newId, TenantId, UserId } from '../../src/events/ids.ts';
import type { Log } from '../../src/ports/log.ts';
import { createProcesses } from '../../src/processes/catalog.ts';
import { createProcessRunner } from '../../src/processes/engine/runner.ts';
import { createProjectionRunner } from '../../src/projections/engine/runner.ts';
import { keepAnchors, readAnchors } from '../../src/wiring/log-fence/anchors.ts';
import { createLogFence } from '../../src/wiring/log-fence/log-fence.ts';
import { assertSameLog } from '../../src/wiring/log-identity.ts';
import { collect, isEvent } from '../contract/log.ts';
import { eventually } from '../eventually.ts';
import type { ServiceDouble } from '../processes/service-double.ts';

const tenant_id = newId(TenantId);
const user_id = newId(UserId);
const logger = pino({ level: 'silent' });

export const processes = createProcesses({ objectUri: (key) => `file:///objects/${key}`, placement_seconds: 120 });

export const eventsIn = async (log: Pick<Log, 'subscribe'>): Promise<RecordedEvent[]> =>
  (await collect(log.subscribe({ after: 'start', live: false }))).filter(isEvent);

export interface Model {
  workflow_id: string;
  model_id: string;
}

/** Read models, processes and commands over one log, without the rest of BudApp. */
export const openInstallation = ({ pool, service }: { pool: Pool; service: ServiceDouble }) => {
  const vault = createVault({ pool, master_key: Buffer.alloc(32, 7) });
  const handlerOn = (log: Log) =>
    createCommandHandler({ log, vault, clock: () => new Date().toISOString(), findLiveEndpoints: async () => [] });

  const caughtUp = (log: Log): Promise<unknown> =>
    eventually('the log is read to its end', async () => {
      const head = await log.head();
      const { rows } = await pool.query<{ position: Position | null }>(
        `select position from projections union all
         select (select position from process_checkpoints where reader = 'processes')`,
      );
      return expect(rows.map(({ position }) => position)).to.deep.equal(rows.map(() => head));
    });

  return {
    caughtUp,
    /** What a start does before anything reads the log. */
    async start(log: Log, log_id: string): Promise<void> {
      const fence = createLogFence({
        readAnchors: () => readAnchors(pool),
        keepAnchors: (missing) => keepAnchors(pool, missing),
        logger,
      });
      await assertSameLog({ pool, log, log_id, compare: () => fence.check(log) });
    },
    /** Read models and processes follow the log until `work` is done and all of it is read. */
    async working(log: Log, work: () => Promise<unknown> = async () => undefined): Promise<void> {
      const owner = randomUUID();
      const projections = createProjectionRunner({ log, pool, owner, logger, lease_ttl_ms: 1000 });
      const runner = createProcessRunner({
        ...{ log, pool, owner, logger, vault, processes },
        handle: handlerOn(log),
        invoker: createHttpInvoker({ urls: { budmodel: service.url, budsim: service.url, budcluster: service.url } }),
        objects: { remove: async () => undefined },
        findClustersByBudId: async () => [],
        poll_ms: 20,
      });
      try {
        await work();
        await caughtUp(log);
      } finally {
        await projections.close();
        await runner.close();
      }
    },
    /** A model whose onboarding begins. */
    async upload(log: Log, name: string): Promise<Model> {
      const command_id = newId(CommandId);
      const object_key = `models/${tenant_id}/${command_id}/${name}.onnx`;
      const artefact = { object_key, file_name: `${name}.onnx`, size_bytes: 5, sha256: 'a'.repeat(64) };
      const access = { role: 'admin' as const, scopes: new Set<never>(), projects: new Map() };
      const caller = { tenant_id, actor: { type: 'user' as const, id: user_id, name: 'x' }, access, user_id };
      const options = { caller, command_id, correlation_id: command_id };
      const { state } = await handlerOn(log)(uploadLocalModel, { name, artefact }, options);
      return state as unknown as Model;
    },
    /** The model service has read the model: its onboarding ends. */
    async answerExtraction(log: Log, workflow_id: string): Promise<void> {
      const actor = { type: 'service' as const, id: 'budmodel', name: 'budmodel' };
      const message = { message_id: 'm1', message_type: 'perform_model_extraction', status: 'COMPLETED' };
      const result = { model_info: { architecture: { num_params: 7 } }, local_path: '/x' };
      await handlerOn(log)(
        recordServiceMessage,
        { workflow_id, ...message, message_event: 'results', result },
        {
          caller: { tenant_id, actor, access: 'system', user_id: null },
          command_id: newId(CommandId),
          correlation_id: newId(CommandId),
        },
      );
    },
    /** Waits until so many events of a type are in the log. */
    heard: (log: Log, type: string, times = 1): Promise<unknown> =>
      eventually(`${times} of ${type}`, async () =>
        expect((await eventsIn(log)).filter((event) => event.type === type)).to.have.length.at.least(times),
      ),
    async state() {
      const query = async (text: string) => (await pool.query(text)).rows;
      return {
        audit: await query('select position, event_id, stream, revision from audit_log order by position'),
        models: await query('select * from models order by id'),
        workflows: await query('select * from workflows order by id'),
        instances: await query(
          'select process, instance_id, workflow_id, state, position, ended_at from process_instances order by 1, 2',
        ),
        timers: await query('select process, instance_id, timer, due_at from process_timers order by 1, 2, 3'),
        intents: await query(
          'select process, event_id, n, intent, done_at is null as open from process_intents order by id',
        ),
        projections: await query('select name, position from projections order by name'),
        checkpoint: await query('select position from process_checkpoints'),
      };
    },
  };
};
export type Installation = ReturnType<typeof openInstallation>;
