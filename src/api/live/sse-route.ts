import type { ServerResponse } from 'node:http';
import { bearerTokenOf } from '../callers/caller.ts';
import { cursorOf } from '../request-facts.ts';
import { type Route, route } from '../route.ts';
import type { Encoding } from './batch.ts';
import { type LiveOptions, serveClient } from './client.ts';
import { whereOpened } from './opened-at.ts';
import type { Ending, Transport } from './output.ts';
import { SubscriptionQuery } from './subscription.ts';

/** Milliseconds until a browser's EventSource reconnects. */
const RETRY_MS = 2000;

const serverSentEvents: Encoding = {
  // JSON text contains no line breaks, so one data line holds it.
  encode: (text, cursor) => Buffer.from(`${cursor === null ? '' : `id: ${cursor}\n`}data: ${text}\n\n`),
};

const eventOf = (ending: Ending): string => `event: end\ndata: ${JSON.stringify({ code: ending })}\n\n`;

const transportOf = (response: ServerResponse): Transport => ({
  encoding: serverSentEvents,
  write: (bytes) => response.write(bytes),
  beat: () => response.write(': heartbeat\n\n'),
  buffered: () => response.writableLength,
  end: (ending, { grace_ms }) => {
    const { socket } = response;
    // Nobody waits for the next request on a connection that was a stream.
    response.end(eventOf(ending), () => socket?.end());
    setTimeout(() => socket?.destroy(), grace_ms).unref();
  },
});

/** The same holds over WebSocket. */
const STREAM_DESCRIPTION = `Sends what happened after \`from\` (a cursor or position, \`start\` or \`now\`), then what happens, in the order
of the log: each event once that the caller may see, as a CloudEvent with its \`position\` and \`cursor\`. \`project\`, \`area\` and \`resource\` narrow it.
\`GET /stream\` sends the same over WebSocket, one event a message. Connect again with the last \`cursor\` that came, and nothing is
missed or comes twice. The last \`position\` does it, too, but does not show where the history of the log is another one since.

Messages of the stream itself have no \`position\` beside \`data\`:

- \`bud.stream.progress\`: a long search of the log goes on though it finds nothing; all up to \`data.position\` has been sent.
- \`bud.stream.reset\` with \`data.reason.code\` \`cannot-continue\`: this log has no such position, or another event there. Read your data again; the
  stream goes on from \`data.position\`.
- \`bud.stream.reset\` with \`too-slow\`: more than 1 MiB was sent that you did not read. The stream ends; connect again with
  \`data.position\`, and nothing is missed.

Who is removed from a project gets \`bud.project.project-member-removed\`, whatever \`area\` and \`resource\` say, and nothing of
the project after it. A heartbeat comes every 15 seconds.

While the event log cannot be reached, a stream stays open, and one can be opened: it goes on where it was, and nothing is
missed. After a minute it ends with \`unavailable\` (WebSocket: code 1013): connect again with the last cursor that came. Who sends \`Accept: text/event-stream\` gets the same
in the place of a 503, since a browser's EventSource never comes back from one.`;

const Query = SubscriptionQuery.omit({ access_token: true });

/** `GET /stream/events`: status messages as server-sent events. A browser resumes by itself, with `Last-Event-ID`. */
export const sseRoute = (options: LiveOptions, open: Set<() => void>): Route =>
  route({
    method: 'GET',
    path: '/stream/events',
    operation_id: 'streamEvents',
    summary: 'Stream status events as server-sent events',
    description: STREAM_DESCRIPTION,
    tag: 'live',
    permission: 'signed-in',
    query: Query,
    answers: { ok: { description: 'One CloudEvent per message', schema: null, type: 'text/event-stream' } },
    refusals: ['malformed', 'unavailable'],
    when_unavailable: {
      success: 'ok',
      body: `retry: ${RETRY_MS}\n\n${eventOf('unavailable')}`,
      type: 'text/event-stream; charset=utf-8',
    },
    handle: async ({ caller, query, ctx }) => {
      const last = ctx.get('last-event-id');
      const from = last === '' ? query.from : cursorOf(last, 'The header Last-Event-ID');
      const opened = await whereOpened(options);
      const { req, res } = ctx;
      // From here on this handler writes the response: Koa must not end it.
      ctx.respond = false;
      req.setTimeout(0);
      res.writeHead(200, {
        ...headersOf(ctx.response.headers),
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
      res.write(`retry: ${RETRY_MS}\n\n`);
      const token = bearerTokenOf(ctx.get('authorization'));
      const asked = from === undefined ? query : { ...query, from };
      const transport = transportOf(res);
      const stop = serveClient({ ...options, transport, caller, token, query: asked, opened });
      const end = () => {
        stop();
        transport.end('going-away', { grace_ms: 1000 });
      };
      open.add(end);
      res.once('close', () => {
        stop();
        open.delete(end);
      });
      return { success: 'ok' };
    },
  });

const headersOf = (headers: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
