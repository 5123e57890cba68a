import { pino } from 'pino';
import type { z } from 'zod';
import { createMemoryLog } from '../../src/adapters/memory-log.ts';
import { createNotifications } from '../../src/api/notifications.ts';
import { createUploadCleanup } from '../../src/api/upload-cleanup.ts';
import type { Caller } from '../../src/commands/access.ts';
import { findCommand } from '../../src/commands/catalog.ts';
import { createCommandHandler, type HandleCommand } from '../../src/commands/engine/handle.ts';
import { Rejected } from '../../src/errors.ts';
import { streamOf } from '../../src/events/catalog.ts';
import type { RecordedEvent } from '../../src/events/event.ts';
import { ClusterId, type CommandId, commandIdOf, deriveId, ProjectId, TenantId, UserId } from '../../src/events/ids.ts';
import { createProcesses } from '../../src/processes/catalog.ts';
import { createPerformer, type Performer } from '../../src/processes/engine/perform.ts';
import { ClusterRow } from '../../src/projections/clusters.ts';
import { EndpointRow } from '../../src/projections/endpoints.ts';
import type { ReadModels } from '../../src/projections/queries/read.ts';
import { rowSchemaOf } from '../../src/projections/queries/row-schema.ts';
import type { Row } from '../../src/projections/read-model.ts';
import { memoryPending } from '../api/uploads/memory-pending.ts';
import { createAggregates } from './aggregates.ts';
import { Crashed, createGate, gatedLog } from './gate.ts';
import { createMemoryEngine, type HeardReaction } from './memory-engine.ts';
import { createMemoryReadModels } from './memory-read-models.ts';
import { createMemoryVault } from './memory-vault.ts';
import { createSimulatedServices, type Envelope } from './simulated-services.ts';
import { createMemoryProofs, createStatusRounds } from './status-rounds.ts';

const START = Date.parse('2030-01-01T10:00:00.000Z');

export const tenant_id = TenantId.parse('01890a5d-ac96-774b-bcce-b302099a8100');
const user_id = UserId.parse('01890a5d-ac96-774b-bcce-b302099a8101');
const somebody: Caller = {
  tenant_id,
  actor: { type: 'user', id: user_id, name: 'somebody' },
  access: { role: 'admin', scopes: new Set(), projects: new Map() },
  user_id,
};

export const processes = createProcesses({ objectUri: (key) => `file:///objects/${key}`, placement_seconds: 120 });

const isLive = ({ status, rollout }: EndpointRow): boolean =>
  !['failed', 'cancelled', 'deleted'].includes(status) || (status === 'failed' && rollout.kind === 'delete');

/** A row is replaced where it changes, so each is parsed once. */
const parsedOnce = <T>(schema: z.ZodType<T>) => {
  const parsed = new WeakMap<Row, T>();
  return (row: Row): T => {
    const known = parsed.get(row) ?? schema.parse(row);
    parsed.set(row, known);
    return known;
  };
};
const endpointOf = parsedOnce(rowSchemaOf<EndpointRow>({ row: EndpointRow }));
const clusterOf = parsedOnce(rowSchemaOf<ClusterRow>({ row: ClusterRow }));

/** BudApp in memory with simulated services and a simulated clock. Nothing happens that a method does not ask for. */
export const createWorld = ({ onReaction }: { onReaction?: (heard: HeardReaction) => void } = {}) => {
  let now = START;
  let commands = 0;
  const clock = () => new Date(now).toISOString();
  const gate = createGate();
  const log = createMemoryLog({ clock });
  const vault = createMemoryVault();
  const proofs = createMemoryProofs(() => now);
  const readModels = createMemoryReadModels();
  const aggregates = createAggregates();
  const objects = new Set<string>();
  const uploads = createUploadCleanup({
    log,
    objects: { remove: async (key) => void objects.delete(key) },
    pending: memoryPending(),
    logger: pino({ level: 'silent' }),
  });
  const history: RecordedEvent[] = [];

  const endpoints = () => readModels.rows('endpoints').map(endpointOf);
  const clusters = () => readModels.rows('clusters').map(clusterOf);

  /** Folds what was appended since into the rows: read models are fresh here. */
  const followLog = async (): Promise<void> => {
    for await (const item of log.subscribe({ after: history.at(-1)?.position ?? 'start', live: false })) {
      if ('caughtUp' in item) continue;
      history.push(item);
      readModels.take(item);
      aggregates.take(item);
    }
  };

  /** As the query of the status watch does. */
  const watched: () => Awaited<ReturnType<ReadModels['listWatched']>> = () => ({
    clusters: clusters().flatMap(({ bud_cluster_id, ...row }) =>
      bud_cluster_id !== null && ['available', 'unavailable'].includes(row.status)
        ? [{ ...row, bud_cluster_id, tenant_id: TenantId.parse(row.tenant_id) }]
        : [],
    ),
    endpoints: endpoints().flatMap(({ cluster_id, namespace, ...row }) =>
      cluster_id !== null && namespace !== null && ['running', 'degraded', 'unknown'].includes(row.status)
        ? [{ ...row, cluster_id, namespace, tenant_id: TenantId.parse(row.tenant_id) }]
        : [],
    ),
  });

  interface Life {
    handle: HandleCommand;
    performer: Performer;
    notifications: ReturnType<typeof createNotifications>;
    watch: ReturnType<typeof createStatusRounds>;
  }
  /** What a process of BudApp keeps in memory is gone with it. */
  const startLife = (): Life => {
    const ownLog = gatedLog(log, gate);
    const handle = createCommandHandler({
      log: ownLog,
      vault,
      clock,
      findLiveEndpoints: async (area, id) => {
        await followLog();
        const used = { project: 'project_id', model: 'model_id', cluster: 'cluster_id' } as const;
        return endpoints()
          .filter((row) => isLive(row) && row[used[area]] === id)
          .map(({ id: endpoint, name, project_id }) => ({
            id: endpoint,
            name,
            project_id: ProjectId.parse(project_id),
          }));
      },
    });
    const real = createPerformer({
      handle,
      invoker: services.invoker,
      vault,
      objects: {
        remove: async (key) => {
          objects.delete(key);
        },
      },
      findClustersByBudId: async (wanted) => {
        await followLog();
        return clusters().flatMap(({ id, bud_cluster_id, name, status }) =>
          bud_cluster_id !== null && wanted.includes(bud_cluster_id) && status !== 'deleted'
            ? [{ cluster_id: ClusterId.parse(id), bud_cluster_id, name }]
            : [],
        );
      },
    });
    const performer: Performer = {
      ...real,
      attempt: async (intent) => {
        services.callIs(real.nameOf(intent));
        const attempt = await real.attempt(intent);
        services.callIs(null);
        return attempt;
      },
    };
    const notifications = createNotifications({
      handle,
      proofs,
      log: ownLog,
      logger: pino({ level: 'silent' }),
      readModels: {
        waitFor: followLog,
        findEndpointByNamespace: async (namespace) => {
          await followLog();
          const found = endpoints().filter((row) => row.namespace === namespace);
          return found.find(({ status }) => status !== 'deleted') ?? found[0] ?? null;
        },
        findClusterByBudId: async (id) => {
          await followLog();
          const found = clusters().filter((row) => row.bud_cluster_id === id);
          return found.find(({ status }) => status !== 'deleted') ?? found[0] ?? null;
        },
      },
    });
    const watch = createStatusRounds({
      handle,
      proofs,
      invoker: services.invoker,
      now: () => now,
      readModels: {
        listWatched: async () => {
          await followLog();
          return watched();
        },
      },
    });
    return { handle, performer, notifications, watch };
  };

  /** What a status report is about must be known: the real look-up waits for a read model, which is never behind here. */
  const isAboutNothing = (body: unknown): boolean => {
    const text = JSON.stringify(body);
    if (!text.includes('-status-update')) return false;
    return ![
      ...endpoints().map(({ namespace }) => namespace),
      ...clusters().map(({ bud_cluster_id }) => bud_cluster_id),
    ]
      .filter((name) => name !== null)
      .some((name) => text.includes(`"${name}"`));
  };

  /** `again`: the sender keeps the message and delivers it once more. */
  const receive = async ({ body }: Envelope): Promise<'done' | 'again'> => {
    await followLog();
    if (isAboutNothing(body)) return 'done';
    const facts = {
      request_id: 'request',
      correlation_id: 'request',
      traceparent: undefined,
      idempotency_key: undefined,
    };
    const none = { min_position: undefined, if_match: undefined, if_none_match: undefined };
    const verdict = await life.notifications.receive({ content: body }, { ...facts, ...none });
    return verdict === 'RETRY' ? 'again' : 'done';
  };

  const services = createSimulatedServices({
    advance: (milliseconds) => {
      now += milliseconds;
    },
    deliver: async (envelope) => {
      if ((await receive(envelope)) === 'again') services.putBack(envelope);
    },
  });
  let life = startLife();
  const engine = createMemoryEngine({ processes, performer: () => life.performer, now: () => now, gate, onReaction });

  const restart = (): void => {
    gate.restart();
    life = startLife();
  };

  /** Does something in BudApp. If it is killed meanwhile, it starts again; what it asked for did not get an answer. */
  const inBudApp = async <T>(work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!gate.isDown() && !(error instanceof Crashed)) throw error;
      return null;
    } finally {
      if (gate.isDown()) {
        restart();
        await uploads.sweep();
      }
      await followLog();
    }
  };

  const newCommandId = (): CommandId => {
    commands += 1;
    return commandIdOf(`command ${commands}`);
  };

  const send = async (type: string, data: object, command_id: CommandId): Promise<string> => {
    const command = findCommand(type);
    if (!command) throw new Error(`no command ${type}`);
    const answer = await inBudApp(async () => {
      try {
        await life.handle(command, data, {
          caller: somebody,
          command_id,
          correlation_id: command_id,
          may_repeat: true,
        });
        return 'done';
      } catch (error) {
        if (error instanceof Rejected) return `refused: ${error.code}`;
        throw error;
      }
    });
    return answer ?? 'killed';
  };

  const deliverFirst = async (): Promise<boolean> => {
    const envelope = services.takeFromOutbox(0);
    if (!envelope) return false;
    const verdict = await inBudApp(() => receive(envelope));
    if (verdict !== 'done') services.putBack(envelope);
    return true;
  };

  /** One round of everything that can happen at this moment, in order. False: nothing did. */
  const round = async (): Promise<boolean> => {
    let busy = false;
    const waiting = services.outbox().length;
    for (let count = 0; count < waiting; count += 1) busy = (await deliverFirst()) || busy;
    busy = ((await inBudApp(async () => engine.read(history))) ?? 1) > 0 || busy;
    busy = ((await inBudApp(async () => engine.fireTimers())) ?? 1) > 0 || busy;
    for (const intent of engine.due()) {
      await inBudApp(() => engine.perform(intent));
      busy = true;
    }
    for (const job of services.running()) {
      services.progress(job);
      busy = true;
    }
    return busy;
  };

  return {
    log,
    history: history as readonly RecordedEvent[],
    services,
    engine,
    readModels,
    aggregates,
    objects,
    endpoints,
    clusters,
    gate,
    now: () => now,
    rows: (name: string): Row[] => readModels.rows(name),
    advance(seconds: number): void {
      now += seconds * 1000;
    },
    send: (type: string, data: object) => send(type, data, newCommandId()),
    /** The file is stored first, under the command's own id, as the API does it. */
    async upload(name: string): Promise<string> {
      const command_id = newCommandId();
      const object_key = `models/${tenant_id}/${command_id}/model.onnx`;
      await uploads.begin({ key: object_key, stream: streamOf('model', deriveId(command_id, 'model')) });
      objects.add(object_key);
      const artefact = { object_key, file_name: 'model.onnx', size_bytes: 1000, sha256: 'a'.repeat(64) };
      const answer = await send('UploadLocalModel', { name, artefact }, command_id);
      // The API removes the file of a refused upload.
      if (answer.startsWith('refused')) await uploads.discard(object_key);
      if (answer === 'done') await uploads.keep(object_key);
      return answer;
    },
    read: (limit: number) => inBudApp(async () => engine.read(history, limit)),
    async perform(index: number): Promise<string> {
      const due = engine.due();
      const intent = due[index % Math.max(1, due.length)];
      if (!intent) return 'nothing is due';
      await inBudApp(() => engine.perform(intent));
      return `${life.performer.nameOf({ ...intent, id: '', expired: false, skipped: false })}: ${intent.outcome ?? 'not done'}`;
    },
    fireTimers: () => inBudApp(async () => engine.fireTimers()),
    /** One round of the status watch. */
    watch: () => inBudApp(() => life.watch()),
    receive: (envelope: Envelope) => inBudApp(() => receive(envelope)),
    restart,
    round,
    /** Rounds until nothing happens at this moment, at most so many. */
    async work(rounds: number): Promise<void> {
      for (let count = 0; count < rounds && (await round()); count += 1);
    },
    /** The clock moves to the next thing that is due, at most so many seconds. */
    advanceToNext(at_most: number): boolean {
      const next = engine.nextDue();
      if (next === null || next > now + at_most * 1000) return false;
      now = Math.max(now, next);
      return true;
    },
  };
};
export type World = ReturnType<typeof createWorld>;
