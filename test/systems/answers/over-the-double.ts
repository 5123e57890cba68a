import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { describeAnswers } from './describe-answers.ts';

/** Asks the double what the real server was asked. */
export const describeAnswersOfTheDouble = (): void => {
  describe('the answers of the EventStoreDB double', () => {
    let double: EventStoreDouble;
    before(async () => {
      double = await createEventStoreDouble();
    });
    after(() => double.close());

    describeAnswers('compared with the real server', { isDouble: true, url: () => double.url });
  });
};
