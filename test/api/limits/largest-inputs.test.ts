import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { z } from 'zod';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import { jsonSchemaOf } from '../../../src/api/http/json-schema.ts';
import { commandCatalog } from '../../../src/commands/catalog.ts';
import type { AnyCommand } from '../../../src/commands/command.ts';
import { type Area, type Fact, streamOf } from '../../../src/events/catalog.ts';
import { ClusterId, EndpointId, ModelId, ProjectId, UserId, WorkflowId } from '../../../src/events/ids.ts';
import { Sealed } from '../../../src/events/sealed.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { fact } from '../../commands/fixture.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { anEvent, fresh } from '../../projections/facts.ts';
import { TENANT } from '../fake-identity.ts';
import { type RunningApi, SERVICE_TOKEN, startApi } from '../running-api.ts';

interface Schema {
  type?: string;
  format?: string;
  pattern?: string;
  enum?: unknown[];
  const?: unknown;
  maxLength?: number;
  maximum?: number;
  maxItems?: number;
  items?: Schema;
  prefixItems?: Schema[];
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
  oneOf?: Schema[];
}

/** Characters by what they take as JSON: an escape of six bytes, four bytes, two bytes, and what any field takes. */
const FILLS = ['\u0001', '😀', '"', 'a'];

type Ids = Readonly<Record<string, string>>;

/** Of a text without limit: it has one of its own in the domain, as the key of a stored file. */
const UNLIMITED = 200;

/** The largest value that the schema describes, with a text of `fill` where the field may have one. */
const largest = (schema: Schema, { name, fill, ids }: { name: string; fill: string; ids: Ids }): unknown => {
  const inside = (part: Schema, at = name): unknown => largest(part, { name: at, fill, ids });
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return inside(options.find(({ const: value, type }) => value === undefined && type !== 'null') ?? {});
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum.toSorted((a, b) => String(b).length - String(a).length)[0];
  if (schema.prefixItems) return schema.prefixItems.map((part) => inside(part));
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([key, part]) => [key, inside(part, key)]));
    case 'array':
      return Array.from({ length: schema.maxItems ?? 1 }, () => inside(schema.items ?? {}));
    case 'integer':
    case 'number':
      return schema.maximum ?? 1;
    case 'boolean':
      return true;
    default:
      if (ids[name] !== undefined) return ids[name];
      if (schema.format === 'uri') return `http://h/${'a'.repeat((schema.maxLength ?? UNLIMITED) - 9)}`;
      if (name === 'sha256') return 'a'.repeat(64);
      if (schema.pattern !== undefined && schema.maxLength === undefined) return 'model:view';
      return fill.repeat(schema.maxLength ?? UNLIMITED);
  }
};

/** For each field the largest fill that it takes. */
const largestData = ({ type, data }: AnyCommand, ids: Ids): Record<string, unknown> => {
  if (!(data instanceof z.ZodObject)) throw new Error(`${type} has no fields`);
  const fields = Object.entries<z.ZodType>(data.shape).map(([name, field]) => {
    const schema: Schema = jsonSchemaOf(field, 'input');
    const values = FILLS.map((fill) => largest(schema, { name, fill, ids }));
    const size = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
    const valid = values.filter((value) => field.safeParse(value).success).toSorted((a, b) => size(b) - size(a));
    expect(valid, `a valid ${type}.${name}`).to.not.have.length(0);
    return [name, valid[0]] as const;
  });
  return Object.fromEntries(fields);
};

/** What a rule over several fields asks for, and numbers that the prepared cluster has room for. */
const GIVEN: Readonly<Record<string, Record<string, unknown>>> = {
  RegisterCloudModel: { source: 'openai' },
  DeployModel: { replicas: 1, resources_per_replica: { cpu_millis: 1, memory_mib: 1 } },
};

/** What the domain says to such an input, or to what is prepared here; everything else is done. */
const REFUSED: Readonly<Record<string, string>> = {
  UploadLocalModel: '422 artefact-not-stored',
  RetryOnboarding: '409 workflow-not-retryable',
  RetryRegistration: '409 workflow-not-retryable',
  RetryDeployment: '409 workflow-not-retryable',
  ScaleEndpoint: '409 endpoint-not-running',
};

describe('the largest input of each command', () => {
  let double: EventStoreDouble;
  let api: RunningApi;
  let ids: Record<string, string>;

  const record = async (area: Area, id: string, ...facts: Fact[]): Promise<void> => {
    const events = facts.map((each) => anEvent(each, { tenant_id: TENANT }));
    await api.services.log.append(streamOf(area, id), events, { expected: 'any' });
  };

  /** New things for each command, since the one before may have deleted them. */
  const prepare = async ({ type }: AnyCommand) => {
    const [model_id, cluster_id, endpoint_id] = [fresh(ModelId), fresh(ClusterId), fresh(EndpointId)];
    const [workflow_id, user_id] = [fresh(WorkflowId), fresh(UserId)];
    const project_id = ProjectId.parse((await api.admin.post('/projects', { name: fresh(ProjectId) })).body.id);
    const seal = await api.services.vault.sealer(cluster_id);
    const [name, subject] = [seal('Ada'), user_id];
    await record(
      'model',
      model_id,
      fact('CloudModelRegistered', { model_id }),
      fact('ModelMetadataRecorded', { model_id }),
    );
    const registered = fact('ClusterRegistered', { cluster_id });
    const requested = fact('ClusterRegistrationRequested', { cluster_id, configuration: seal('a') });
    await record('cluster', cluster_id, requested, registered);
    // What a live endpoint uses is not deleted.
    const used = type === 'DeleteEndpoint' || !type.startsWith('Delete') ? { project_id, model_id } : {};
    await record('endpoint', endpoint_id, fact('EndpointRequested', { endpoint_id, ...used }));
    await record('workflow', workflow_id, fact('WorkflowStarted', { workflow_id, project_id }));
    await record('user', user_id, fact('UserRegistered', { user_id, subject, email: name, name }));
    ids = { model_id, cluster_id, endpoint_id, workflow_id, user_id, project_id };
  };

  const addMember = async () => {
    const [project_id, user_id] = [ProjectId.parse(ids.project_id), UserId.parse(ids.user_id)];
    await record('project', project_id, fact('ProjectMemberAdded', { project_id, user_id }));
  };

  before(async () => {
    double = await createEventStoreDouble();
    const logger = createLogger({ level: 'silent' });
    api = await startApi({}, { openLog: () => createEventStoreLog({ url: double.url, logger }) });
    await api.admin.get('/auth/me');
  });
  after(async () => {
    await api?.close();
    await double?.close();
  });

  for (const command of commandCatalog.filter(({ permission }) => permission !== 'system')) {
    it(`is taken by the log: ${command.type}`, async () => {
      await prepare(command);
      if (command.type !== 'AddProjectMember') await addMember();
      const data = { ...largestData(command, ids), ...GIVEN[command.type] };
      // Every largest name is the same but for its end, since names are unique.
      if (typeof data.name === 'string' && !command.type.startsWith('Deploy'))
        data.name = [...data.name].with(-1, String.fromCodePoint(0x4e00 + commandCatalog.indexOf(command))).join('');
      const { status, body } = await api.admin.post(`/commands/${command.type}`, data);
      const said = status < 300 ? 'done' : `${status} ${body.code}`;
      expect(said, JSON.stringify(body).slice(0, 500)).to.equal(REFUSED[command.type] ?? 'done');
    });
  }

  it('of a service ends the workflow that it is about, where the log cannot take it', async () => {
    const workflow_id = fresh(WorkflowId);
    await record('workflow', workflow_id, fact('WorkflowStarted', { workflow_id }));
    // Within the limit of a body, and four times as long as it is written here.
    const result = `[${'1e20,'.repeat(200_000)}1]`;
    const content = `{"status":"COMPLETED","result":${result}}`;
    const payload = `{"type":"deploy_model","event":"results","workflow_id":"${workflow_id}","content":${content}}`;
    const { body } = await api.request('POST', '/notifications', {
      body: `{"id":"large","payload":${payload}}`,
      headers: { 'content-type': 'application/cloudevents+json', 'dapr-api-token': SERVICE_TOKEN },
    });
    expect(body).to.deep.equal({ status: 'DROP' });
    const told: unknown[] = [];
    for await (const { type, data } of api.services.log.readStream(streamOf('workflow', workflow_id)))
      told.push([
        type,
        z.looseObject({ reason: z.looseObject({ code: z.string() }).optional() }).parse(data).reason?.code,
      ]);
    expect(told.at(-1)).to.deep.equal(['WorkflowStepFailed', 'unreadable-message']);
  });

  it('is a kubeconfig of a million characters, which is what it was when it is opened', async () => {
    const texts = {
      certificates: randomBytes(750_000).toString('base64'),
      escaped: '\t"\\'.repeat(333_333),
      'other letters': 'é😀字'.repeat(110_000),
    };
    for (const [name, configuration] of Object.entries(texts)) {
      const { status, body } = await api.admin.post('/clusters', { name, configuration });
      expect(status, JSON.stringify(body).slice(0, 500)).to.equal(202);
      for await (const { data } of api.services.log.readStream(streamOf('cluster', body.id))) {
        const sealed = z.object({ configuration: Sealed }).parse(data).configuration;
        expect((await api.services.vault.open(sealed)) === configuration, name).to.equal(true);
        break;
      }
    }
  });
});
