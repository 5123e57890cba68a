import { z } from 'zod';
import { SOURCE_TOPIC } from '../../contracts/asynchronous.ts';
import { DeliveryAnswer } from '../../contracts/notification.ts';
import { Rejected } from '../../errors.ts';
import { ServiceMessage } from '../http/json-body.ts';
import { sameSecret } from '../http/same-secret.ts';
import { createNotifications } from '../notifications.ts';
import { publicRoute } from '../public-route.ts';
import { answers, ok, type Route } from '../route.ts';
import type { WriteServices } from '../write.ts';

const tag = 'services';

const Subscription = z.object({ pubsubname: z.string(), topic: z.string(), route: z.string() });

const subscriptionRoutes = (pubsubname: string): Route[] => [
  publicRoute({
    method: 'GET',
    path: '/dapr/subscribe',
    operation_id: 'listSubscriptions',
    summary: 'List the Dapr subscriptions',
    tag,
    answers: answers(z.array(Subscription), 'Topics and the paths that receive them'),
    handle: async () => ok([{ pubsubname, topic: SOURCE_TOPIC, route: '/notifications' }]),
  }),
  publicRoute({
    method: 'GET',
    path: '/dapr/config',
    operation_id: 'getSidecarConfig',
    summary: 'Get the Dapr application configuration',
    tag,
    answers: answers(z.object({ entities: z.array(z.string()) }), 'The configuration: no actors'),
    handle: async () => ok({ entities: [] }),
  }),
];

/** Routes that the Dapr sidecar calls. */
export const serviceRoutes = (services: WriteServices): Route[] => {
  const notifications = createNotifications(services);
  return [
    publicRoute({
      method: 'POST',
      path: '/notifications',
      operation_id: 'deliverMessage',
      summary: 'Receive a message of another service from the Dapr sidecar',
      tag,
      permission: 'service',
      body: ServiceMessage,
      body_kind: 'message',
      answers: answers(DeliveryAnswer, 'SUCCESS: recorded. RETRY: deliver again. DROP: do not deliver again'),
      refusals: ['unauthenticated'],
      handle: async ({ body, facts, ctx }) => {
        if (!sameSecret(ctx.get('dapr-api-token'), services.settings.dapr_api_token)) {
          throw new Rejected(
            'unauthenticated',
            'invalid-service-token',
            'The header dapr-api-token is missing or wrong.',
          );
        }
        return ok({ status: await notifications.receive(body, facts) });
      },
    }),
    ...subscriptionRoutes(services.settings.pubsub_name),
  ];
};
