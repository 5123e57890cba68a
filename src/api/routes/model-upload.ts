import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { allows } from '../../commands/access.ts';
import { notPermitted } from '../../commands/engine/authorise.ts';
import type { Outcome } from '../../commands/engine/handle.ts';
import { uploadLocalModel } from '../../commands/model/upload-local-model.ts';
import { type InputError, Rejected, rejected } from '../../errors.ts';
import { streamOf } from '../../events/catalog.ts';
import { deriveId } from '../../events/ids.ts';
import type { StoredObject } from '../../ports/object-store.ts';
import { killPoint } from '../../resilience/kill-point.ts';
import { type FormFields, type FormFile, isMultipart, readForm } from '../http/multipart.ts';
import type { CommandAttempt } from '../idempotency.ts';
import { requestHash } from '../idempotency.ts';
import { resources } from '../resource.ts';
import type { Answer, Exchange, Route } from '../route.ts';
import { perform, type WriteServices, writeAnswer } from '../write.ts';

const path = '/models/local';

const Form = z.object({
  name: z.string(),
  description: z.string().optional(),
  /** A repeated field, or one text with commas. */
  tags: z.union([z.string(), z.array(z.string())]).optional(),
  /** SHA-256 of the file in hex; the upload is refused where it does not match. */
  sha256: z.string().optional(),
  file: z.string().meta({ format: 'binary' }),
});

const Sha256 = z.string().regex(/^[0-9a-fA-F]{64}$/);

/** As long as a name can be on the usual file systems. */
const FILE_NAME = z
  .string()
  .max(255)
  .regex(/^\P{Cc}+$/u, 'contains a control character');

/** The file name as the last part of an object key: without characters that have a meaning there. */
const keyNameOf = (name: string): string =>
  name
    .slice(-120)
    .replace(/[^\w.-]/g, '_')
    .replace(/^\.+/, '_');

const single = (fields: FormFields, name: string): string | undefined => {
  const value = fields[name];
  if (value === undefined || typeof value === 'string') return value;
  throw invalid([{ pointer: `/${name}`, detail: 'given more than once' }]);
};

const invalid = (errors: readonly InputError[]) => {
  const summary = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; ');
  return new Rejected('invalid', 'invalid-input', `The form is invalid: ${summary}.`, { errors });
};

const tagsOf = (given: FormFields[string] | undefined): string[] =>
  [given ?? []]
    .flat()
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '');

const checksumOf = (fields: FormFields): string | undefined => {
  const given = single(fields, 'sha256');
  if (given === undefined || Sha256.safeParse(given).success) return given?.toLowerCase();
  throw invalid([{ pointer: '/sha256', detail: 'must be 64 hexadecimal digits' }]);
};

const descriptionOf = (fields: FormFields) => {
  const name = single(fields, 'name');
  const description = single(fields, 'description');
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(fields.tags === undefined ? {} : { tags: tagsOf(fields.tags) }),
  };
};

/** Validates the fields before the file is stored, so that an invalid upload is refused early. */
const validateFieldsBefore = (fields: FormFields): void => {
  const shape = uploadLocalModel.data.shape;
  const description = descriptionOf(fields);
  if (description.name === undefined) return;
  const checked = z
    .object({ name: shape.name, description: shape.description, tags: shape.tags })
    .safeParse(description);
  if (checked.success) return;
  throw invalid(
    checked.error.issues.map(({ path: at, message }) => ({ pointer: `/${at.join('/')}`, detail: message })),
  );
};

/** Refuses a name that is taken before the file is stored. The command checks it again. */
const refuseTakenName = async (services: WriteServices, { caller }: Exchange, fields: FormFields): Promise<void> => {
  const name = single(fields, 'name')?.trim();
  if (!name) return;
  const { items } = await services.readModels.list(resources.model.projection, {
    tenant_id: caller.tenant_id,
    projects: 'all',
    filter: { name, status: ['onboarding', 'active'] },
    sort: '-created_at',
    limit: 1,
  });
  if (items.length === 0) return;
  throw rejected('model-name-taken', `The name "${name}" is taken by another model.`, { hint: 'Choose another name.' });
};

interface Upload {
  services: WriteServices;
  exchange: Exchange;
  attempt: CommandAttempt;
}

interface Stored extends StoredObject {
  file_name: string;
}

/** A file that cannot be stored leaves nothing behind. */
const putOrDiscard = async (
  { objects, uploads }: WriteServices,
  { key, stream }: { key: string; stream: Readable },
  options: Parameters<WriteServices['objects']['put']>[2],
): Promise<StoredObject> => {
  try {
    return await objects.put(key, stream, options);
  } catch (error) {
    await uploads.discard(key);
    throw error;
  }
};

const storeFile = async ({ services, exchange, attempt }: Upload, file: FormFile, before: FormFields) => {
  validateFieldsBefore(before);
  const named = FILE_NAME.safeParse(file.name);
  if (!named.success) {
    throw invalid(named.error.issues.map(({ message }) => ({ pointer: '/file', detail: `its name ${message}` })));
  }
  const sha256 = checksumOf(before);
  if (!attempt.may_repeat) await refuseTakenName(services, exchange, before);
  // Each attempt has its own key: a repeated upload never overwrites the first one's file.
  const folder = `models/${exchange.caller.tenant_id}/${attempt.command_id}`;
  const key = `${folder}/${crypto.randomUUID()}/${keyNameOf(file.name)}`;
  const options = { maxBytes: services.settings.max_upload_bytes, ...(sha256 === undefined ? {} : { sha256 }) };
  await services.uploads.begin({ key, stream: streamOfModel(attempt) });
  const stored = await putOrDiscard(services, { key, stream: file.stream }, options);
  killPoint('upload: file stored');
  return { ...stored, file_name: file.name } satisfies Stored;
};

/** Checks a checksum field that came after the file. */
const verifyChecksumAfter = (fields: FormFields, { sha256 }: Stored): void => {
  const expected = checksumOf(fields);
  if (expected === undefined || expected === sha256) return;
  throw new Rejected('invalid', 'checksum-mismatch', `The file's SHA-256 is ${sha256}, not ${expected}.`, {
    errors: [{ pointer: '/sha256', detail: 'does not match the file' }],
  });
};

const streamOfModel = ({ command_id }: CommandAttempt): string => streamOf('model', deriveId(command_id, 'model'));

/**
 * Performs the command on a stored file. Removes the file if the command fails, or if an earlier attempt has
 * registered another one.
 */
const register = async (upload: Upload, fields: FormFields, stored: Stored): Promise<Answer> => {
  const { services, exchange, attempt } = upload;
  let outcome: Outcome;
  try {
    verifyChecksumAfter(fields, stored);
    const { key: object_key, file_name, size_bytes, sha256 } = stored;
    const description = descriptionOf(fields);
    const data = { ...description, artefact: { object_key, file_name, size_bytes, sha256 } };
    // The object key differs between attempts, so it is not part of the hash. Stored hashes have the name of the key.
    const content = { ...description, file_name: keyNameOf(file_name), sha256 };
    const request_hash = requestHash('POST', path, content);
    const keyed = attempt.request_hash === undefined ? attempt : { ...attempt, request_hash };
    outcome = await perform(services, uploadLocalModel, { data, exchange, attempt: keyed });
    killPoint('upload: model registered');
  } catch (error) {
    await services.uploads.settle({ key: stored.key, stream: streamOfModel(attempt) }, error);
    throw error;
  }
  await (outcome.repeated ? services.uploads.discard(stored.key) : services.uploads.keep(stored.key));
  return writeAnswer(services, uploadLocalModel, { outcome, attempt });
};

const receive = async (request: IncomingMessage, upload: Upload): Promise<Answer> => {
  const { services } = upload;
  const written: Stored[] = [];
  const options = {
    maxBytes: services.settings.max_upload_bytes,
    fields: ['name', 'description', 'tags', 'sha256'],
    file: 'file',
  };
  const read = async () => {
    try {
      return await readForm(request, options, async (file, before) => {
        const stored = await storeFile(upload, file, before);
        written.push(stored);
        return stored;
      });
    } catch (error) {
      // The file was stored, but a later part of the form was refused.
      for (const { key } of written) await services.uploads.discard(key);
      throw error;
    }
  };
  const { fields, file } = await read();
  if (file) return register(upload, fields, file);
  throw invalid([{ pointer: '/file', detail: 'the form has no file' }]);
};

const refuseOthers = ({ caller, ctx }: Exchange): void => {
  if (!allows(caller.access, uploadLocalModel.permission, null)) {
    throw notPermitted(uploadLocalModel, uploadLocalModel.permission);
  }
  if (!isMultipart(ctx.req)) {
    throw new Rejected('unsupported', 'unsupported-content-type', 'The body must be multipart/form-data.');
  }
};

/** `POST /models/local`: streams the file to the object storage, and registers the model once the file is complete. */
export const modelUploadRoute = (services: WriteServices): Route => ({
  method: 'POST',
  path,
  operation_id: uploadLocalModel.type,
  summary: uploadLocalModel.summary,
  tag: 'models',
  permission: uploadLocalModel.permission,
  params: z.strictObject({}),
  query: z.strictObject({}),
  body: { kind: 'multipart', form: Form },
  answers: {
    accepted: { description: 'The model; `workflow_id` names its onboarding', schema: resources.model.schema },
  },
  refusals: ['forbidden', 'conflict', 'invalid', 'too-large', 'unavailable'],
  writes: true,
  handle: async (exchange) => {
    refuseOthers(exchange);
    const { caller, facts, ctx } = exchange;
    // The content is known only at the end of the request; the command's own hash then detects another body.
    const keyed = { caller, key: facts.idempotency_key, request_hash: requestHash('POST', path, null) };
    return services.idempotency.run(keyed, (attempt) => receive(ctx.req, { services, exchange, attempt }));
  },
});
