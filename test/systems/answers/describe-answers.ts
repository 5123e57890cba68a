import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { z } from 'zod';
import { parseAddress } from '../../../src/adapters/eventstore/address.ts';
import { type EventStoreClient, openClient } from '../../../src/adapters/eventstore/client.ts';
import { allCalls } from './all-calls.ts';
import { type Calls, refusalOf, type Server, serverOf } from './call.ts';
import { contentCalls } from './content-calls.ts';
import { DIFFERENCES, UNSTEADY } from './differences.ts';
import { metadataCalls } from './metadata-calls.ts';
import { repeatCalls } from './repeat-calls.ts';
import { streamCalls } from './stream-calls.ts';
import { subscriptionCalls } from './subscription-calls.ts';

const CALLS: Calls = {
  ...streamCalls,
  ...repeatCalls,
  ...contentCalls,
  ...metadataCalls,
  ...allCalls,
  ...subscriptionCalls,
};

const Answers = z.object({ server: z.string(), answers: z.record(z.string(), z.unknown()) });

/** What the real server answered to each call. */
export const readAnswers = (): z.output<typeof Answers> =>
  Answers.parse(JSON.parse(readFileSync(new URL('answers.json', import.meta.url), 'utf8')));

/**
 * Every call with the answer of the real server, as it was recorded once: over a real one again, to see whether it still
 * answers so, and over the double, to see whether it answers as the real one does.
 */
export const describeAnswers = (
  name: string,
  { url, isDouble }: { url: () => Promise<string> | string; isDouble: boolean },
): void => {
  describe(name, () => {
    const { server: version, answers } = readAnswers();
    let client: EventStoreClient;
    let server: Server;
    before(async () => {
      client = openClient(parseAddress(await url()));
      server = serverOf(client);
    });
    after(() => client.close());

    it('is asked every call that is recorded, and no other', () => {
      expect(Object.keys(CALLS)).to.have.members(Object.keys(answers));
      expect(Object.keys(answers)).to.include.members([...Object.keys(DIFFERENCES), ...UNSTEADY]);
    });

    for (const [call, ask] of Object.entries(CALLS)) {
      const difference = isDouble ? DIFFERENCES[call] : undefined;
      it(`${call}: answers ${difference === undefined ? `as ${version} did` : 'in another way, for a reason'}`, async () => {
        const answer = await ask(server).catch(refusalOf);
        if (!isDouble && UNSTEADY.includes(call)) return;
        if (difference === undefined) expect(answer).to.deep.equal(answers[call]);
        else {
          expect(answer, difference.reason).to.deep.equal(difference.double);
          expect(answer, 'no longer differs: take it off the list').to.not.deep.equal(answers[call]);
        }
      }).timeout(30_000);
    }
  });
};
