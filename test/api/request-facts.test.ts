import { expect } from 'chai';
import Koa from 'koa';
import { requestFactsOf } from '../../src/api/request-facts.ts';

const traceOf = (traceparent: string): string | undefined => {
  const app = new Koa();
  const request = Object.assign(Object.create(null), { headers: { traceparent } });
  return requestFactsOf(app.createContext(request, Object.create(null)), 'r').traceparent;
};

describe('facts of a request', () => {
  it('go on with the trace that they are part of', () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(traceOf(trace)).to.equal(trace);
  });

  for (const nothing of [
    '00-00000000000000000000000000000000-0000000000000000-00',
    '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00',
    '00-xyz',
    '',
  ]) {
    it(`take ${JSON.stringify(nothing)} for no trace`, () => {
      expect(traceOf(nothing)).to.equal(undefined);
    });
  }
});
