import { expect } from 'chai';
import type { Change } from './change.ts';
import { noteArea } from './note-area.ts';
import { pinNote } from './pin-note.ts';
import { copyRepository } from './repository-copy.ts';
import { readWalk } from './walk.ts';

type RepositoryCopy = Awaited<ReturnType<typeof copyRepository>>;

/** The tests that find a missing step. */
const TESTS = [
  'test/architecture.test.ts',
  'test/adding/adding.test.ts',
  'test/events/fixtures.test.ts',
  'test/commands/catalog.test.ts',
  'test/projections/catalog.test.ts',
  'test/api/surface.test.ts',
];

/** Run on the complete walk only: where a step is missing they wait until their time-out. */
const OF_IT_ALL = ['test/api/visibility.test.ts', 'test/api/names/names.test.ts', 'test/e2e/tenants.test.ts'];

const askedBy = (who: 'compiler' | 'test', heading: string, changes: readonly Change[]): Change[] => {
  const steps = readWalk(heading, 'note').filter(({ asked_by }) => asked_by === who);
  return changes.filter(({ path }) => steps.some((step) => step.isOf(path)));
};
const without = (changes: readonly Change[], left: readonly Change[]) => changes.filter((each) => !left.includes(each));

describe('the walks of docs/adding.md', function () {
  // The whole of BudApp is compiled several times, perhaps on a busy machine.
  this.timeout(900_000);
  let copy: RepositoryCopy;

  before(async () => {
    copy = await copyRepository();
  });
  after(() => copy.close());

  /** Applies the changes except some, looks, and reverts them. */
  const missing = async <Result>(
    changes: readonly Change[],
    left: readonly Change[],
    look: () => Promise<Result>,
  ): Promise<Result> => {
    expect(left).to.not.deep.equal([]);
    const undo = await copy.add(without(changes, left));
    try {
      return await look();
    } finally {
      await undo();
    }
  };

  const expectComplaints = async (changes: readonly Change[], left: readonly Change[]): Promise<void> => {
    const complaints = await missing(changes, left, copy.complaints);
    const unnoticed = left.filter(
      ({ complaint }) => !complaints.some(({ path, text }) => path === complaint.path && text.includes(complaint.text)),
    );
    expect(
      unnoticed.map(({ path }) => path),
      JSON.stringify(complaints, null, 2),
    ).to.deep.equal([]);
  };

  const expectFailures = async (changes: readonly Change[], left: readonly Change[]): Promise<void> => {
    const { failed } = await missing(changes, left, () => copy.test(TESTS));
    const told = failed.map(({ title, message }) => `${title}: ${message}`).join('\n');
    const unnoticed = left.filter(({ failure }) => failure === null || !told.includes(failure));
    expect(
      unnoticed.map(({ path }) => path),
      told,
    ).to.deep.equal([]);
  };

  const walks = [
    {
      heading: 'An area',
      changes: noteArea,
      checks: 'test/adding/checks/area.ts',
      also: ['test/e2e/tenants.test.ts'],
    },
    { heading: 'A command with a new fact', changes: pinNote, checks: 'test/adding/checks/fact.ts' },
  ];
  for (const { heading, changes, checks } of walks) {
    describe(heading, () => {
      const edits = askedBy('compiler', heading, changes).filter(({ is_new }) => !is_new);

      it('is asked for by the compiler, step by step', async () => {
        // What other steps depend on is left out in a run of its own, so that each error has one cause.
        const own = edits.filter(({ path, complaint }) => complaint.path === path);
        const elsewhere = without(edits, own);
        await expectComplaints(changes, own);
        await expectComplaints(changes, elsewhere);
      });

      it('is asked for by the tests where the compiler cannot know', async () => {
        await expectFailures(changes, askedBy('test', heading, changes));
      });

      it('compiles, passes the tests, and goes through everything', async () => {
        await copy.add(changes);
        expect(await copy.complaints()).to.deep.equal([]);
        const { passed, failed } = await copy.test([...TESTS, ...OF_IT_ALL, 'test/commands/note.test.ts', checks]);
        expect(failed).to.deep.equal([]);
        expect(passed.length).to.be.greaterThan(50);
      });
    });
  }
});
