import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { MAX_CONFIGURATION_BYTES } from '../../commands/cluster/register-cluster.ts';
import { Rejected } from '../../errors.ts';
import { BodyTooLarge, readBounded } from '../../resilience/bounded-body.ts';
import { isMultipart, readForm } from '../http/multipart.ts';
import type { Route } from '../route.ts';

const Form = z.object({
  name: z.string(),
  cluster_type: z.string().optional(),
  ingress_url: z.string().optional(),
  configuration: z.string().meta({ format: 'binary', description: 'The kubeconfig file' }),
});

const FIELDS = ['name', 'cluster_type', 'ingress_url'];

const readConfiguration = async (stream: Readable): Promise<string> => {
  try {
    return new TextDecoder().decode(await readBounded(stream, MAX_CONFIGURATION_BYTES));
  } catch (cause) {
    if (!(cause instanceof BodyTooLarge)) throw cause;
    const detail = `The configuration may have at most ${MAX_CONFIGURATION_BYTES} bytes.`;
    throw new Rejected('too-large', 'upload-too-large', detail, { cause });
  }
};

/** Converts the form to the equivalent JSON body. */
const bodyOfForm = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  const options = { maxBytes: MAX_CONFIGURATION_BYTES, fields: FIELDS, file: 'configuration' };
  const { fields, file } = await readForm(request, options, ({ stream }) => readConfiguration(stream));
  return { ...fields, ...(file === null ? {} : { configuration: file }) };
};

/** `POST /clusters`: the kubeconfig as text in JSON, or as a file in a form. */
export const clusterRegistrationRoute = (json: Route): Route => ({
  ...json,
  body: {
    kind: 'multipart',
    form: Form,
    ...(json.body?.kind === 'json'
      ? { json: json.body.schema, example: json.body.example, max_bytes: json.body.max_bytes }
      : {}),
  },
  handle: async (exchange) => {
    const { req } = exchange.ctx;
    return json.handle(isMultipart(req) ? { ...exchange, body: await bodyOfForm(req) } : exchange);
  },
});
