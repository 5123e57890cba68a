import { describeAnswers } from './answers/describe-answers.ts';
import { describeAnswersOfTheDouble } from './answers/over-the-double.ts';

describeAnswersOfTheDouble();

/**
 * What a real server was asked once, asked of another one: whoever has one names it as EVENTSTORE_URL. It may be full and in
 * use; streams whose names hold `test-` stay behind.
 */
const { EVENTSTORE_URL: url = '' } = process.env;
if (url === '')
  describe('the answers of a real EventStoreDB', () => {
    it.skip('are those that were recorded (EVENTSTORE_URL is not set: no real server to ask)');
  });
else describeAnswers('the answers of a real EventStoreDB', { isDouble: false, url: () => url });
