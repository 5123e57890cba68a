import { expect } from 'chai';
import type { Change } from './change.ts';
import { copyHouse } from './house.ts';
import { noteArea } from './note-area.ts';
import { pinNote } from './pin-note.ts';
import { readWalk } from './walk.ts';

type House = Awaited<ReturnType<typeof copyHouse>>;

/** What a newcomer runs who has changed events, commands, read models and routes. */
const TESTS = [
  'test/architecture.test.ts',
  'test/adding/adding.test.ts',
  'test/events/fixtures.test.ts',
  'test/commands/catalog.test.ts',
  'test/projections/catalog.test.ts',
  'test/api/surface.test.ts',
];

/** What waits for what is missing, and so is run where nothing is. */
const OF_IT_ALL = ['test/api/visibility.test.ts', 'test/e2e/tenants.test.ts'];

const askedBy = (who: 'compiler' | 'test', heading: string, changes: readonly Change[]): Change[] => {
  const steps = readWalk(heading, 'note').filter(({ asked_by }) => asked_by === who);
  return changes.filter(({ path }) => steps.some((step) => step.isOf(path)));
};
const without = (changes: readonly Change[], left: readonly Change[]) => changes.filter((each) => !left.includes(each));

describe('the walks of docs/adding.md', function () {
  // The whole of BudApp is compiled several times, perhaps on a busy machine.
  this.timeout(900_000);
  let house: House;

  before(async () => {
    house = await copyHouse();
  });
  after(() => house.close());

  /** Goes the walk without some of its steps, and back. */
  const missing = async <Result>(
    changes: readonly Change[],
    left: readonly Change[],
    look: () => Promise<Result>,
  ): Promise<Result> => {
    expect(left).to.not.deep.equal([]);
    const undo = await house.add(without(changes, left));
    try {
      return await look();
    } finally {
      await undo();
    }
  };

  const expectComplaints = async (changes: readonly Change[], left: readonly Change[]): Promise<void> => {
    const complaints = await missing(changes, left, house.complaints);
    const unnoticed = left.filter(
      ({ complaint }) => !complaints.some(({ path, text }) => path === complaint.path && text.includes(complaint.text)),
    );
    expect(
      unnoticed.map(({ path }) => path),
      JSON.stringify(complaints, null, 2),
    ).to.deep.equal([]);
  };

  const expectFailures = async (changes: readonly Change[], left: readonly Change[]): Promise<void> => {
    const { failed } = await missing(changes, left, () => house.test(TESTS));
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
      passage: 'test/adding/passage/area.ts',
      also: ['test/e2e/tenants.test.ts'],
    },
    { heading: 'A command with a new fact', changes: pinNote, passage: 'test/adding/passage/fact.ts' },
  ];
  for (const { heading, changes, passage } of walks) {
    describe(heading, () => {
      const edits = askedBy('compiler', heading, changes).filter(({ is_new }) => !is_new);

      it('is asked for by the compiler, step by step', async () => {
        // What the others build on is left out by itself, so that each complaint has one cause.
        const own = edits.filter(({ path, complaint }) => complaint.path === path);
        const elsewhere = without(edits, own);
        await expectComplaints(changes, own);
        await expectComplaints(changes, elsewhere);
      });

      it('is asked for by the tests where the compiler cannot know', async () => {
        await expectFailures(changes, askedBy('test', heading, changes));
      });

      it('compiles, passes the tests, and goes through everything', async () => {
        await house.add(changes);
        expect(await house.complaints()).to.deep.equal([]);
        const { passed, failed } = await house.test([...TESTS, ...OF_IT_ALL, 'test/commands/note.test.ts', passage]);
        expect(failed).to.deep.equal([]);
        expect(passed.length).to.be.greaterThan(50);
      });
    });
  }
});
