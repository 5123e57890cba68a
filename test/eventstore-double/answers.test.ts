import { describeAnswersOfTheDouble } from '../systems/answers/over-the-double.ts';

// Here, too, since everything that is tested with the double rests on it.
describeAnswersOfTheDouble();
