import { HttpMethod, type InvokerOptions } from '@dapr/dapr';
import type { Closable } from '../../ports/closable.ts';
import type { ServiceInvoker, ServiceRequest } from '../../ports/service-invoker.ts';
import { formOf, targetOf } from '../service-answer.ts';
import { createDaprSidecar, type DaprSettings, type DaprSidecar } from './sidecar.ts';

export interface DaprInvoker extends ServiceInvoker, Closable {
  /** Throws `SystemUnusable` where the sidecar does not answer or refuses our token. */
  check: DaprSidecar['check'];
}

interface Content {
  /** Absent where nothing is sent. */
  data?: object;
  headers: Record<string, string>;
}

const contentOf = async ({ body, multipart }: ServiceRequest): Promise<Content> => {
  if (multipart !== undefined) {
    // The SDK sends bytes as they are, and has no notion of a form.
    const form = new Response(formOf(multipart));
    const type = form.headers.get('content-type') ?? '';
    return { data: new Uint8Array(await form.arrayBuffer()), headers: { 'Content-Type': type } };
  }
  if (body === undefined) return { headers: {} };
  if (!(body instanceof Object)) throw new TypeError('a service is sent objects only');
  // Named: of an object that looks like a CloudEvent the SDK would say that it is one.
  return { data: body, headers: { 'Content-Type': 'application/json' } };
};

/**
 * Calls services by their app id through our own sidecar (`/v1.0/invoke/<app id>/method/<path>`). Nothing is asked of the
 * sidecar before the first call, so it may start later than we do. That a service has no sidecar or is not up yet
 * (`ERR_DIRECT_INVOKE`, a 500) is a failure that may pass.
 */
export const createDaprInvoker = (settings: DaprSettings): DaprInvoker => {
  const sidecar = createDaprSidecar(settings);
  return {
    async invoke(request) {
      const { app_id, method, path, traceparent, timeout_ms } = request;
      const { data, headers } = await contentOf(request);
      const options: InvokerOptions = { headers: traceparent === undefined ? headers : { ...headers, traceparent } };
      return sidecar.call({
        what: `${app_id} ${method} ${path}`,
        timeout_ms,
        perform: (client) => client.invoker.invoke(app_id, targetOf(request), HttpMethod[method], data, options),
      });
    },
    check: sidecar.check,
    close: sidecar.close,
  };
};
