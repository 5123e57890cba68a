import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { z } from 'zod';
import { isHistoryDamaged, isUnknownPosition } from '../../errors.ts';
import { type Area, parseStream } from '../../events/catalog.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import { type EventId, ProjectId } from '../../events/ids.ts';
import { projectOf, visibility } from '../../events/visibility.ts';
import type { Closable } from '../../ports/closable.ts';
import type { Log } from '../../ports/log.ts';
import type { StatusBus, StatusMessage } from '../../ports/status-bus.ts';
import { waitForRetry } from '../../resilience/backoff.ts';
import { createOutage } from '../../resilience/outage.ts';
import { toStatusMessage } from '../status-message.ts';

const MAX_STREAMS = 10_000;
const BACKOFF = { first_ms: 100, longest_ms: 5000 };

const NamesProject = z.object({ project_id: ProjectId.nullable() });

/** The project that an event names; undefined where it names none. */
const projectIn = ({ data }: RecordedEvent): ProjectId | null | undefined =>
  NamesProject.safeParse(data).data?.project_id;

export interface StatusMapper {
  /**
   * Converts an event; null where it is not a resource's. Reads the log where the resource's project is no longer
   * cached.
   */
  toStatus(event: RecordedEvent, previous?: Position | null): Promise<StatusMessage | null>;
  /** The project of the resource that the event is of; null where it has none. Reads the log as `toStatus` does. */
  projectOf(event: RecordedEvent, resource: { area: Area; id: string }): Promise<ProjectId | null>;
}

/**
 * Converts events to status messages. The first event of a stream names the project of the resource; the projects of
 * the most recently used streams are cached.
 */
export const createStatusMapper = ({ log }: { log: Pick<Log, 'readStream'> }): StatusMapper => {
  const projects = new LRUCache<string, { project_id: ProjectId | null }>({ max: MAX_STREAMS });

  const remember = (stream: string, projectId: ProjectId | null): ProjectId | null => {
    projects.set(stream, { project_id: projectId });
    return projectId;
  };

  const readProject = async (stream: string): Promise<ProjectId | null> => {
    for await (const first of log.readStream(stream, { limit: 1 })) return projectIn(first) ?? null;
    return null;
  };

  const findProject: StatusMapper['projectOf'] = async (event, { area, id }) => {
    if (visibility[area].project !== 'project_id') return projectOf(area, { id });
    const named = projectIn(event);
    if (named !== undefined) return remember(event.stream, named);
    const known = projects.get(event.stream);
    if (known) return known.project_id;
    try {
      return remember(event.stream, await readProject(event.stream));
    } catch (error) {
      if (!isHistoryDamaged(error)) throw error;
      // Nobody can tell now: it is shown to those only who see every project.
      return null;
    }
  };

  return {
    toStatus: async (event, previous = null) => {
      const resource = parseStream(event.stream);
      return resource && toStatusMessage(event, { project_id: await findProject(event, resource), previous });
    },
    projectOf: findProject,
  };
};

export interface StatusFeedOptions {
  log: Log;
  bus: StatusBus;
  logger: Logger;
  mapper?: StatusMapper;
}

const isEvent = (item: object): item is RecordedEvent => !('caughtUp' in item);

/**
 * Publishes events from now on, at most once. Listeners notice gaps by `previousposition` and read them from the log. A
 * bus needs one feed: on a shared bus it runs under a lease, on the bus of a single process without.
 */
export const createStatusFeed = ({
  log,
  bus,
  logger,
  mapper = createStatusMapper({ log }),
}: StatusFeedOptions): Closable => {
  const closing = new AbortController();
  const { signal } = closing;
  // Up to where the log has been read, and the position of the last message, which the next one names.
  let position: Position | null = null;
  let event_id: EventId | undefined;
  let previous: Position | null = null;
  let failures = 0;
  const publishing = createOutage<{ err: unknown; position: Position }>({
    logger,
    failing: (fields) => ({ message: 'status messages cannot be published', fields }),
    working: 'status messages are published again',
  });
  const reading = createOutage({
    logger,
    failing: (err) => ({ message: 'the status feed cannot read the log: retrying', fields: { err } }),
    working: 'the status feed reads the log again',
  });

  const publish = async (event: RecordedEvent): Promise<void> => {
    const message = await mapper.toStatus(event, previous);
    position = event.position;
    event_id = event.id;
    if (!message) return;
    previous = event.position;
    try {
      await bus.publish(message);
      publishing.ok();
    } catch (error) {
      // Not retried: the next message tells every listener that it has missed this one.
      publishing.failed({ err: error, position: event.position });
    }
  };

  const follow = async (): Promise<void> => {
    position ??= await log.head();
    previous ??= position;
    const after = position ?? 'start';
    for await (const item of log.subscribe({ after, after_id: event_id, live: true, signal })) {
      failures = 0;
      reading.ok();
      if (isEvent(item)) await publish(item);
      else [position, event_id] = [item.position ?? position, item.event_id];
    }
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await follow();
      } catch (error) {
        if (signal.aborted) return;
        // The log goes on from before what was published: so does the feed, from now on.
        if (isUnknownPosition(error)) {
          position = null;
          event_id = undefined;
          previous = null;
        }
        failures += 1;
        reading.failed(error);
        await waitForRetry(failures, BACKOFF, signal);
      }
    }
  };

  const ended = run();
  return {
    close: async () => {
      closing.abort();
      await ended;
    },
  };
};
