import { expect } from 'chai';
import fc from 'fast-check';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { findCommand } from '../../../src/commands/catalog.ts';
import { createCommandHandler } from '../../../src/commands/engine/handle.ts';
import type { FindNamesakes } from '../../../src/commands/engine/names.ts';
import { Rejected } from '../../../src/errors.ts';
import { definitionOf, type Fact } from '../../../src/events/catalog.ts';
import { CommandId, EventId, newId, ProjectId } from '../../../src/events/ids.ts';
import { nameKey } from '../../../src/events/name-key.ts';
import { Sealed } from '../../../src/events/sealed.ts';
import { fact } from '../fixture.ts';
import { aPerson, requester, tenant } from '../given.ts';

const anna = aPerson({ role: 'admin' });

const start = (findNamesakes?: FindNamesakes) => {
  let ms = Date.parse('2026-11-22T12:00:00.000Z');
  const clock = () => new Date(ms).toISOString();
  const log = createMemoryLog({ clock });
  const handle = createCommandHandler({
    log,
    clock,
    vault: {
      sealer: async () => () => Sealed.parse('sealed:1:subject:iv:tag:'),
      open: async () => null,
      erase: async () => undefined,
    },
    findLiveEndpoints: async () => [],
    ...(findNamesakes === undefined ? {} : { findNamesakes }),
  });
  const run = (type: string, data: unknown) => {
    const command = findCommand(type);
    if (!command) throw new Error(`no command ${type}`);
    const command_id = newId(CommandId);
    return handle(command, data, { caller: anna, command_id, correlation_id: command_id });
  };
  const codeOf = (outcome: Promise<unknown>): Promise<string> =>
    outcome.then(
      () => 'done',
      (error) => (error instanceof Rejected ? error.code : String(error)),
    );
  return {
    log,
    create: (name: string) => codeOf(run('CreateProject', { name })),
    rename: (project_id: string, name: string) => codeOf(run('UpdateProject', { project_id, name })),
    remove: (project_id: string) => codeOf(run('DeleteProject', { project_id })),
    wait: (seconds: number) => {
      ms += seconds * 1000;
    },
    /** Appends what a release did that knew one stream for each name. */
    async before(stream: string, ...facts: readonly Fact[]) {
      const command_id = newId(CommandId);
      const actor = { type: 'user', id: requester, name: 'somebody' } as const;
      const meta = {
        tenant_id: tenant,
        command_id,
        command: 'Before',
        correlation_id: command_id,
        causation_id: null,
        actor,
      };
      const events = facts.map(({ type, data }) => {
        const definition = definitionOf(type);
        return { id: newId(EventId), type, version: definition.version, data: definition.data.parse(data), meta };
      });
      await log.append(stream, events, { expected: 'any' });
    },
  };
};

type Started = ReturnType<typeof start>;

/** A project of the first releases. Their key of a name was its lower case in NFC. */
const formerProject = async ({ before }: Started, name: string): Promise<string> => {
  const id = newId(ProjectId);
  const stream = `name-project-${tenant}-${encodeURIComponent(name.normalize('NFC').toLowerCase())}`;
  await before(stream, fact('NameReserved', { kind: 'project', name, holder_id: id }));
  await before(`project-${id}`, fact('ProjectCreated', { project_id: id, name }));
  return id;
};

describe('names on a log of the first releases', () => {
  it('keeps a name whose key is the same now, and frees it with its holder', async () => {
    const names = start();
    const id = await formerProject(names, 'Küche');
    names.wait(3600);
    expect(await names.create('KÜCHE')).to.equal('project-name-taken');
    expect(await names.remove(id)).to.equal('done');
    expect(await names.create('küche')).to.equal('done');
  });

  it('looks at the former key of a name before it gives the name', async () => {
    const names = start();
    const id = await formerProject(names, 'Straße');
    names.wait(3600);
    expect(await names.create('STRAßE')).to.equal('project-name-taken');
    expect(await names.rename(id, 'straße')).to.equal('done');
    expect(await names.create('Straße')).to.equal('project-name-taken');
    expect(await names.create('STRASSE')).to.equal('project-name-taken');
  });

  it('frees both streams of a name together', async () => {
    const names = start();
    const id = await formerProject(names, 'Straße');
    names.wait(3600);
    expect(await names.rename(id, 'Allee')).to.equal('done');
    expect(await names.create('Straße')).to.equal('done');
    expect(await names.create('strasse')).to.equal('project-name-taken');
  });

  it('frees the former stream where only the spelling changes', async () => {
    const names = start();
    const id = await formerProject(names, 'Straße');
    names.wait(3600);
    expect(await names.rename(id, 'Strasse')).to.equal('done');
    expect(await names.create('Straße')).to.equal('project-name-taken');
    expect(await names.remove(id)).to.equal('done');
    expect(await names.create('STRASSE')).to.equal('done');
  });

  it('asks the read models for another spelling that had another key, and believes the log', async () => {
    const known: string[] = [];
    const names = start(async () => known);
    const id = await formerProject(names, 'Straße');
    known.push(id);
    names.wait(3600);
    expect(await names.create('STRASSE')).to.equal('project-name-taken');
    expect(await names.remove(id)).to.equal('done');
    expect(await names.create('STRASSE')).to.equal('done');
  });

  it('gives nothing back where the second of two streams is taken', async () => {
    const names = start();
    await formerProject(names, 'Straße');
    names.wait(3600);
    expect(await names.create('Straße')).to.equal('project-name-taken');
    // The stream of the new key was given back at once.
    expect(await names.create('strasse')).to.equal('done');
  });
});

describe('any name', () => {
  const anyName = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 110 }),
    fc.string({ unit: 'grapheme', maxLength: 100 }),
    fc.string({ unit: fc.constantFrom('ﷺ', '😀', '界', 'ß', 'İ', 'ǰ'), minLength: 1, maxLength: 101 }),
  );

  it('is given once or refused as invalid, and never to two whose keys are the same', async () => {
    await fc.assert(
      fc.asyncProperty(anyName, async (name) => {
        const names = start();
        const first = await names.create(name);
        expect(first).to.be.oneOf(['done', 'invalid-input']);
        if (first !== 'done') return;
        expect(await names.create(name)).to.equal('project-name-taken');
        const folded = nameKey(name);
        expect(await names.create(folded)).to.be.oneOf(['project-name-taken', 'invalid-input']);
      }),
      { numRuns: 500 },
    );
  });
});
