import { isDeepStrictEqual } from 'node:util';
import type { EndpointView, Say, Story } from './story.ts';

interface AuditEvent {
  position: string;
  at: string;
  event_type: string;
  command: string;
  actor_type: string;
  actor_name: string | null;
  causation_id: string | null;
}

/** Shows the history from the log: actor, command, event, time and cause. */
export const showHistory = async (story: Story, say: Say): Promise<void> => {
  const { body } = await story.client.getAt<{ items: AuditEvent[] }>(
    `/audit/endpoint/${story.endpoint.id}?limit=200`,
    story.endpoint.position,
  );
  const last = body.items.at(-1)?.event_type;
  if (last !== 'EndpointDeleted') throw new Error(`the history ends with ${last}, not with the deletion`);
  for (const event of body.items) {
    const who = `${event.actor_type} ${event.actor_name ?? ''}`.trim();
    const cause = event.causation_id ? `event ${event.causation_id.slice(0, 8)}` : 'a request';
    say(`${event.at.slice(11, 23)} ${event.event_type} <- ${event.command} by ${who}, caused by ${cause}`);
  }
};

/** Compares the endpoint as of the first inference, replayed from the log, with what the read model returned then. */
export const checkReplay = async (story: Story, say: Say): Promise<void> => {
  const { position, endpoint: then } = story.remembered;
  const path = `/audit/endpoint/${story.endpoint.id}/state?as_of=${position}`;
  const { body } = await story.client.get<EndpointView>(path);
  if (!isDeepStrictEqual(body, then)) {
    throw new Error(`replay differs from the read model:\n${JSON.stringify(body)}\n${JSON.stringify(then)}`);
  }
  say(`as of position ${position}: ${body.status}, revision ${body.revision} - equal to what the read model returned`);
};
