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
  /** The body; absent where the request has none. */
  data?: object;
  headers: Record<string, string>;
}

const contentOf = async ({ body, multipart }: ServiceRequest): Promise<Content> => {
  if (multipart !== undefined) {
    // The SDK does not know forms, but sends bytes unchanged.
    const form = new Response(formOf(multipart));
    const type = form.headers.get('content-type') ?? '';
    return { data: new Uint8Array(await form.arrayBuffer()), headers: { 'Content-Type': type } };
  }
  if (body === undefined) return { headers: {} };
  if (!(body instanceof Object)) throw new TypeError('a service is sent objects only');
  // Set here, since the SDK would send an object that looks like a CloudEvent with the CloudEvents type.
  return { data: body, headers: { 'Content-Type': 'application/json' } };
};

/**
 * Calls services by their app id through this process's sidecar (`/v1.0/invoke/<app id>/method/<path>`). The sidecar is
 * not used before the first call, so it may start later than BudApp. A service without a sidecar, or one that has not
 * started yet (`ERR_DIRECT_INVOKE`, a 500), is a failure that may pass.
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
