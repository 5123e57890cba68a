import { v7 } from 'uuid';
import { createLocalStatusBus } from '../../../src/adapters/local-status-bus.ts';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import type { ApiCaller } from '../../../src/api/callers/caller.ts';
import { serveClient } from '../../../src/api/live/client.ts';
import { createHub } from '../../../src/api/live/hub.ts';
import type { Ending } from '../../../src/api/live/output.ts';
import type { SubscriptionQuery } from '../../../src/api/live/subscription.ts';
import { createViewers } from '../../../src/api/live/viewers.ts';
import type { Access } from '../../../src/commands/access.ts';
import { type Fact, streamOf } from '../../../src/events/catalog.ts';
import type { Position } from '../../../src/events/event.ts';
import { ModelId, ProjectId, UserId } from '../../../src/events/ids.ts';
import { createStatusFeed, createStatusMapper } from '../../../src/projections/engine/status-feed.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { fact } from '../../commands/fixture.ts';
import { anEvent, fresh, OWNER, TENANT } from '../../projections/facts.ts';

const logger = createLogger({ level: 'silent' });
const PROJECTS = 2;
const USERS = 2;

interface Happened {
  position: Position;
  fact: Fact;
}

/** Whether somebody may see a project, told from the history alone. */
const accessAfter = (history: readonly Happened[], user: UserId): Access => {
  let role: Access['role'] = 'developer';
  const projects = new Map<ProjectId, Set<'project:view'>>();
  for (const { fact } of history) {
    if (fact.type === 'UserPermissionsChanged' && fact.data.user_id === user) role = fact.data.role;
    if (fact.type === 'ProjectMemberAdded' && fact.data.user_id === user)
      projects.set(fact.data.project_id, new Set(['project:view']));
    if (fact.type === 'ProjectMemberRemoved' && fact.data.user_id === user) projects.delete(fact.data.project_id);
    if (fact.type === 'ProjectDeleted') projects.delete(fact.data.project_id);
  }
  // As the read model has it: those of an administrator are not kept.
  return { role, scopes: new Set(), projects: role === 'admin' ? new Map() : projects };
};

export interface Delivered {
  position: Position;
  /** It is shown where its user had access at its own position or at a later one up to here. */
  judged_to: Position;
}

/** The live stream over a log in memory, with users who come and go, and a read model that is behind as it likes. */
export const startStream = async () => {
  const log = createMemoryLog();
  const bus = createLocalStatusBus({ log: logger });
  let losing = false;
  let behind = 0;
  const losingBus: typeof bus = {
    ...bus,
    publish: async (message) => {
      if (!losing) await bus.publish(message);
    },
  };
  const feed = createStatusFeed({ log, bus: losingBus, logger });
  const hub = await createHub({ log, bus, mapper: createStatusMapper({ log }), logger, check_ms: 20 });
  const history: Happened[] = [];
  const projects = Array.from({ length: PROJECTS }, () => fresh(ProjectId));
  const users = Array.from({ length: USERS }, () => fresh(UserId));

  const append = async (stream: string, happened: Fact): Promise<void> => {
    const { position } = await log.append(stream, [anEvent(happened)], { expected: 'any' });
    history.push({ position, fact: happened });
  };
  const inProject = (happened: Extract<Fact, { data: { project_id: ProjectId } }>) =>
    append(streamOf('project', happened.data.project_id), happened);

  const upTo = (position: Position | null): Happened[] =>
    history.filter((each) => position !== null && each.position <= position);

  let lookUps = 0;
  const lookedUpTo = new Map<UserId, Position>();
  const callers = {
    accessAt: async ({ user_id }: Pick<ApiCaller, 'user_id'>, position: Position | null) => {
      lookUps += 1;
      await new Promise(setImmediate);
      const reached = history.at(-1 - behind)?.position ?? null;
      const as_of = position !== null && (reached === null || reached < position) ? position : reached;
      const before = lookedUpTo.get(user_id);
      if (as_of !== null && (before === undefined || before < as_of)) lookedUpTo.set(user_id, as_of);
      return { access: accessAfter(upTo(as_of), user_id), as_of };
    },
  };
  const viewers = createViewers({ hub, log, callers });

  /** Opens a stream; `received` gets what comes over it. */
  const open = async (user: number, query: SubscriptionQuery, received: (message: Message) => void) => {
    const user_id = users[user] ?? OWNER;
    const caller: ApiCaller = {
      tenant_id: TENANT,
      actor: { type: 'user', id: user_id, name: 'x' },
      // Nobody asks it: access is looked up.
      access: { role: 'viewer', scopes: new Set(), projects: new Map() },
      user_id,
      default_project_id: fresh(ProjectId),
      email: '',
      name: '',
      expires_at: Date.now() / 1000 + 3600,
    };
    const head = await log.head();
    const state: { ending: Ending | null; lying: number } = { ending: null, lying: 0 };
    const transport = {
      encoding: { encode: (text: string) => Buffer.from(`${text}\n`) },
      write: (bytes: Buffer) => {
        for (const line of String(bytes).trim().split('\n')) received(JSON.parse(line));
      },
      beat: () => undefined,
      buffered: () => state.lying,
      end: (ending: Ending) => {
        state.ending = ending;
      },
    };
    const stop = serveClient({
      hub,
      log,
      viewers,
      logger,
      throttled: () => undefined,
      callers: { fromToken: async () => caller },
      transport,
      caller,
      token: '',
      query,
      opened: { head },
    });
    return { state, stop };
  };

  return {
    log,
    users,
    projects,
    history,
    open,
    access: (user: number, position: Position) => accessAfter(upTo(position), users[user] ?? OWNER),
    /** The newest position of which access has been looked up for the user; later frames are judged by what follows. */
    lookedUpTo: (user: number): Position | undefined => lookedUpTo.get(users[user] ?? OWNER),
    lookUps: () => lookUps,
    head: () => history.at(-1)?.position,
    create: async () => {
      for (const project_id of projects) await inProject(fact('ProjectCreated', { project_id, owner_id: OWNER }));
    },
    describe: (project: number) =>
      inProject(fact('ProjectDescribed', { project_id: projects[project] ?? fresh(ProjectId) })),
    member: (user: number, project: number, isMember: boolean) => {
      const [user_id = OWNER, project_id = fresh(ProjectId)] = [users[user], projects[project]];
      return inProject(
        isMember
          ? fact('ProjectMemberAdded', { project_id, user_id, scopes: ['project:view'] })
          : fact('ProjectMemberRemoved', { project_id, user_id }),
      );
    },
    deleteProject: (project: number, members: readonly number[]) => {
      const member_ids = members.map((user) => users[user] ?? OWNER);
      return inProject(fact('ProjectDeleted', { project_id: projects[project] ?? fresh(ProjectId), member_ids }));
    },
    role: (user: number, role: Access['role']) => {
      const user_id = users[user] ?? OWNER;
      return append(streamOf('user', user_id), fact('UserPermissionsChanged', { user_id, role, scopes: [] }));
    },
    /** What every user may see. */
    mark: async (): Promise<Position> => {
      const model_id = ModelId.parse(v7());
      await append(streamOf('model', model_id), fact('CloudModelRegistered', { model_id }));
      return history.at(-1)!.position;
    },
    loseMessages: (isLosing: boolean) => {
      losing = isLosing;
    },
    fallBehind: (events: number) => {
      behind = events;
    },
    close: async () => {
      viewers.close();
      await hub.close();
      await feed.close();
      await bus.close();
      await log.close();
    },
  };
};

/** A frame, or a notice of the stream itself, which has no position. */
export interface Message {
  type: string;
  position?: Position;
  data: { position?: Position | null; reason?: { code: string } };
}

export type Stream = Awaited<ReturnType<typeof startStream>>;
