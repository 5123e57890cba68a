import { expect } from 'chai';
import fc from 'fast-check';
import { z } from 'zod';
import { resources } from '../../../src/api/resource.ts';
import { systemCaller } from '../../../src/commands/access.ts';
import { commandCatalog } from '../../../src/commands/catalog.ts';
import type { AnyCommand } from '../../../src/commands/command.ts';
import { recordModelMetadata } from '../../../src/commands/model/internal/record-model-metadata.ts';
import { CommandId, newId } from '../../../src/events/ids.ts';
import { NameKind } from '../../../src/events/name-events.ts';
import { nameKey } from '../../../src/events/name-key.ts';
import { fact } from '../../commands/fixture.ts';
import { TENANT } from '../fake-identity.ts';
import { type Reply, type RunningApi, startApi } from '../running-api.ts';

/** Of scripts that need up to twelve characters each in the name of a stream. */
const CHARACTERS = ['界', 'ग', '😀', '𠀋', 'ﷺ', 'ß', 'é', 'İ'];
const UNSEEN = ['\u200b', '\u200d', '\u202e', '\u2069', '\ufeff', '\u00ad', '\u0007', '\u{e0020}'];
const SPELLINGS = ['Straße ﬁ ５', 'STRASSE FI 5', 'strasse fi 5', 'Straße fi 5 '];
const ASCII_SPELLINGS = ['Chat-One', 'chat-one', 'CHAT-ONE'];

describe('names in every area', () => {
  let api: RunningApi;
  let model_id: string;
  let project_id: string;
  before(async () => {
    api = await startApi();
    model_id = await activeModel();
    project_id = (await project('the project')).body.id;
  });
  after(() => api.close());

  const order = (type: string, data: unknown) => api.admin.post(`/commands/${type}`, data);

  const activeModel = async (): Promise<string> => {
    const made = await order('RegisterCloudModel', { name: 'the model', repo_id: 'an/llm' });
    const { metadata } = fact('ModelMetadataRecorded').data;
    const command_id = newId(CommandId);
    const caller = systemCaller(TENANT, { type: 'process', id: 'test', name: 'test' });
    const data = { model_id: made.body.id, metadata };
    await api.services.handle(recordModelMetadata, data, { caller, command_id, correlation_id: command_id });
    return made.body.id;
  };

  const upload = (name: string): Promise<Reply> => {
    const form = new FormData();
    form.append('name', name);
    form.append('file', new Blob(['weights']), 'm.onnx');
    return api.admin.form('/models/local', form);
  };

  let made = 0;
  const renamed = async (create: (name: string) => Promise<Reply>, type: string, id: string, name: string) => {
    made += 1;
    const { body } = await create(`to be renamed ${made}`);
    return order(type, { [id]: body.id, name });
  };

  const project = (name: string) => order('CreateProject', { name });
  const cloud = (name: string) => order('RegisterCloudModel', { name, repo_id: 'an/llm' });
  const cluster = (name: string) => order('RegisterCluster', { name, configuration: 'apiVersion: v1' });

  /** How each command that takes a unique name is given one. */
  const WAYS: Readonly<Record<NameKind, Readonly<Record<string, (name: string) => Promise<Reply>>>>> = {
    project: {
      CreateProject: project,
      UpdateProject: (name) => renamed(project, 'UpdateProject', 'project_id', name),
    },
    model: {
      RegisterCloudModel: cloud,
      UploadLocalModel: upload,
      UpdateModel: (name) => renamed(cloud, 'UpdateModel', 'model_id', name),
    },
    cluster: {
      RegisterCluster: cluster,
      UpdateCluster: (name) => renamed(cluster, 'UpdateCluster', 'cluster_id', name),
    },
    endpoint: { DeployModel: (name) => order('DeployModel', { project_id, name, model_id }) },
  };
  const ways = NameKind.options.flatMap((kind) =>
    Object.entries(WAYS[kind]).map(([type, give]) => ({ kind, type, give, path: resources[kind].path })),
  );

  it('knows each command that takes a unique name', () => {
    // What is tried again takes the name that it had.
    const takesName = ({ data }: AnyCommand) => data instanceof z.ZodObject && Object.hasOwn(data.shape, 'name');
    const naming = commandCatalog.filter(
      (command) => command.reserves && command.permission !== 'system' && takesName(command),
    );
    expect(ways.map(({ type }) => type).sort()).to.deep.equal(naming.map(({ type }) => type).sort());
  });

  for (const [index, { kind, type, give, path }] of ways.entries()) {
    // The names of two commands must not meet.
    const mark = String.fromCodePoint(0x61 + index);
    const isAscii = kind === 'endpoint';

    it(`${type} takes 100 characters of any script, and refuses 101`, async () => {
      for (const character of isAscii ? ['e'] : CHARACTERS) {
        const name = `${mark}${character.repeat(99)}`;
        const reply = await give(name);
        expect(reply.status, JSON.stringify(reply.body)).to.be.oneOf([200, 201, 202]);
        const longer = await give(`${name}${character}`);
        expect(longer.body, JSON.stringify(longer.body)).to.include({ status: 422, code: 'invalid-input' });
      }
    });

    it(`${type} refuses names with characters that cannot be seen`, async () => {
      for (const character of UNSEEN) {
        const { body } = await give(`cha${character}t`);
        expect(body, JSON.stringify([character, body])).to.include({ status: 422, code: 'invalid-input' });
      }
    });

    it(`${type} gives a name once, and lists find it, in whatever spelling`, async () => {
      const [first, ...others] = (isAscii ? ASCII_SPELLINGS : SPELLINGS).map((name) => `${mark}-${name}`);
      const given = await give(first ?? '');
      expect(given.status, JSON.stringify(given.body)).to.be.oneOf([200, 201, 202]);
      for (const name of others) {
        expect((await give(name)).body, name).to.include({ status: 409, code: `${kind}-name-taken` });
      }
      for (const name of [first ?? '', ...others]) {
        const found = await api.admin.getAfter(given, `${path}?name=${encodeURIComponent(name)}`);
        expect(
          found.body.items.map(({ id }: { id: string }) => id),
          name,
        ).to.deep.equal([given.body.id]);
      }
    });
  }

  it('answers any name as it should, and gives none of two with the same key', async () => {
    const anyName = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 101 }),
      fc.string({ unit: 'grapheme' }),
    );
    const run = async ({ give, kind }: (typeof ways)[number], name: string): Promise<void> => {
      const reply = await give(name);
      expect(reply.status, JSON.stringify(reply.body)).to.be.oneOf([200, 201, 202, 400, 409, 422]);
      const again = await give(nameKey(name));
      expect(again.status, JSON.stringify(again.body)).to.be.below(500);
      if (reply.status < 300) expect(again.body.code).to.be.oneOf([`${kind}-name-taken`, 'invalid-input']);
    };
    const property = fc.asyncProperty(fc.constantFrom(...ways), anyName, run);
    await fc.assert(property, { numRuns: 40 });
  });

  it('keeps the files of models that were made, and no others', async () => {
    const { body } = await api.admin.get('/models?source=local&limit=200');
    const kept = body.items.map(({ artefact }: { artefact: { object_key: string } }) => artefact.object_key).sort();
    const stored = (await api.storedFiles()).flatMap((path) => path.split('/objects/objects/')[1] ?? []).sort();
    expect(stored).to.deep.equal(kept);
  });
});
