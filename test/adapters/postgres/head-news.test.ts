import { expect } from 'chai';
import { createHeadNews, type HeadNews } from '../../../src/adapters/postgres/head-news.ts';
import { Position } from '../../../src/events/event.ts';

const at = (n: number) => Position.parse(String(n).padStart(16, '0'));

/** Told as soon as it may be; answers how long that took. */
const tellAsSoonAsAllowed = (news: HeadNews, head: Position, now: number): number => {
  const pause = Math.max(0, news.seen(head, now) ?? 0);
  news.told(now + pause);
  return pause;
};

describe('news of the head of the log', () => {
  it('is a head beyond the newest one, whoever brings it', () => {
    const news = createHeadNews();
    expect(news.seen(null, 1000)).to.equal(null);
    expect(news.seen(at(2), 1000)).to.be.a('number');
    expect([news.seen(at(2), 1000), news.seen(at(1), 1000)]).to.deep.equal([null, null]);
    expect(news.newest()).to.equal(at(2));
  });

  it('is told at once on a quiet log, and not more often than every 10 ms', () => {
    const news = createHeadNews();
    expect(tellAsSoonAsAllowed(news, at(1), 1000)).to.equal(0);
    expect(tellAsSoonAsAllowed(news, at(2), 1004)).to.equal(6);
    expect(tellAsSoonAsAllowed(news, at(3), 1500)).to.equal(0);
  });

  it('is told every 50 ms while more than two events a millisecond come, and at once when that is over', () => {
    const news = createHeadNews();
    tellAsSoonAsAllowed(news, at(1), 1000);
    tellAsSoonAsAllowed(news, at(101), 1020);
    expect(tellAsSoonAsAllowed(news, at(301), 1021)).to.equal(49);
    expect(tellAsSoonAsAllowed(news, at(302), 1121)).to.equal(0);
    expect(tellAsSoonAsAllowed(news, at(303), 1125)).to.equal(6);
  });
});
