import { Busboy } from '@fastify/busboy';
import type { Context } from 'koa';
import { ClusterCreateRequest } from '../../contracts/budcluster.ts';
import { parse, ServiceRefusal } from '../service/loopback.ts';

const MAX_PART_BYTES = 1024 * 1024;

const readParts = (ctx: Context): Promise<Map<string, string>> =>
  new Promise((resolve, reject) => {
    const contentType = ctx.get('content-type');
    if (!contentType.startsWith('multipart/form-data')) throw new ServiceRefusal(415, 'send multipart/form-data');
    const parts = new Map<string, string>();
    const limits = { fieldSize: MAX_PART_BYTES, fileSize: MAX_PART_BYTES, fields: 10, files: 2, parts: 12 };
    const busboy = new Busboy({ headers: { 'content-type': contentType }, limits });
    const tooLarge = () => reject(new ServiceRefusal(413, `a part is at most ${MAX_PART_BYTES} bytes`));
    busboy.on('field', (name, value, _nameCut, valueCut) => (valueCut ? tooLarge() : parts.set(name, value)));
    busboy.on('file', (name, file) => {
      const chunks: Buffer[] = [];
      file.on('data', (chunk: Buffer) => chunks.push(chunk));
      file.on('limit', tooLarge);
      file.on('end', () => parts.set(name, Buffer.concat(chunks).toString()));
    });
    busboy.on('error', (error) => reject(new ServiceRefusal(400, `not a readable form: ${error}`)));
    busboy.on('finish', () => resolve(parts));
    ctx.req.on('aborted', () => reject(new ServiceRefusal(400, 'the upload broke off')));
    ctx.req.pipe(busboy);
  });

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new ServiceRefusal(400, 'cluster_create_request is not JSON');
  }
};

/** Body of `POST cluster`: the request as JSON text in one field, the kubeconfig as a file in the other. */
export const readConfigurationUpload = async (ctx: Context) => {
  // A form is the only body that a foreign web page could send here without a CORS preflight.
  if (ctx.get('origin') !== '') throw new ServiceRefusal(403, 'not from a web page');
  const parts = await readParts(ctx);
  const request = parts.get('cluster_create_request');
  if (request === undefined) throw new ServiceRefusal(422, 'the field cluster_create_request is missing');
  return { request: parse(ClusterCreateRequest, parseJson(request)), configuration: parts.get('configuration') ?? '' };
};
