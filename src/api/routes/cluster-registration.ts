import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { isMultipart, readForm } from '../http/multipart.ts';
import type { Route } from '../route.ts';

/** A kubeconfig with certificates has tens of KiB. */
const MAX_CONFIGURATION_BYTES = 1024 * 1024;

const Form = z.object({
  name: z.string(),
  cluster_type: z.string().optional(),
  ingress_url: z.string().optional(),
  configuration: z.string().meta({ format: 'binary', description: 'The kubeconfig file' }),
});

const FIELDS = ['name', 'cluster_type', 'ingress_url'];

/** Converts the form to the equivalent JSON body. */
const bodyOfForm = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  const options = { maxBytes: MAX_CONFIGURATION_BYTES, fields: FIELDS, file: 'configuration' };
  const { fields, file } = await readForm(request, options, async ({ stream }) => {
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_CONFIGURATION_BYTES) return;
      const detail = `The configuration may have at most ${MAX_CONFIGURATION_BYTES} bytes.`;
      stream.destroy(new Rejected('too-large', 'upload-too-large', detail));
    });
    return text(stream);
  });
  return { ...fields, ...(file === null ? {} : { configuration: file }) };
};

/** `POST /clusters`: the kubeconfig as text in JSON, or as a file in a form. */
export const clusterRegistrationRoute = (json: Route): Route => ({
  ...json,
  body: {
    kind: 'multipart',
    form: Form,
    ...(json.body?.kind === 'json' ? { json: json.body.schema, example: json.body.example } : {}),
  },
  handle: async (exchange) => {
    const { req } = exchange.ctx;
    return json.handle(isMultipart(req) ? { ...exchange, body: await bodyOfForm(req) } : exchange);
  },
});
