import { randomUUID } from 'node:crypto';
import type { Context } from 'koa';

/**
 * Headers by which the ingress knows the requests of the service itself, which are not counted. Their value is random, so
 * that nobody else can send them.
 */
export type OwnRequests = Readonly<Record<'x-budapp-check', string>>;

export const createOwnRequests = (): OwnRequests => ({ 'x-budapp-check': randomUUID() });

export const isOwnRequest = (ctx: Context, own: OwnRequests): boolean =>
  ctx.get('x-budapp-check') === own['x-budapp-check'];
