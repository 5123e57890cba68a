import { HttpRefusal, PROBLEM_TYPE } from '../http/problem.ts';
import { publicRoute } from '../public-route.ts';
import type { Route } from '../route.ts';
import { SubscriptionQuery } from './subscription.ts';

const UPGRADE = { Upgrade: 'websocket', Connection: 'Upgrade' };

/**
 * `GET /stream` for the document, and for who asks without an upgrade: an upgrade never comes here, `attachWebSocket` takes
 * it over. `public`, since the token may come in the query or as the first message.
 */
export const upgradeRoute = (): Route =>
  publicRoute({
    method: 'GET',
    path: '/stream',
    operation_id: 'openStream',
    summary: 'Stream status events over a WebSocket',
    tag: 'live',
    query: SubscriptionQuery,
    answers: {
      switching: { description: 'A WebSocket: one CloudEvent per message', schema: null },
      'upgrade-required': {
        description: 'The request asks for no WebSocket',
        schema: null,
        type: PROBLEM_TYPE,
        headers: { Upgrade: 'always' },
      },
    },
    handle: async () => {
      throw new HttpRefusal('upgrade-required', '/stream is a WebSocket.', {
        headers: UPGRADE,
        hint: 'Open it with a WebSocket client, or read GET /stream/events, which needs none.',
      });
    },
  });
