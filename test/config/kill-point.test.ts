import { expect } from 'chai';
import { loadConfig } from '../../src/config/config.ts';

describe('the setting KILL_POINT', () => {
  it('names a point, and how often it is passed before', () => {
    expect(loadConfig({ KILL_POINT: 'upload: file stored@3' }).kill_point).to.deep.equal({
      point: 'upload: file stored',
      passes: 3,
    });
    expect(loadConfig({}).kill_point).to.equal(null);
  });

  it('is refused where it names none, and in production', () => {
    expect(() => loadConfig({ KILL_POINT: 'nowhere' })).to.throw('KILL_POINT must be the name of a kill point');
    const settings = { NODE_ENV: 'production', KILL_POINT: 'upload: file stored' };
    expect(() => loadConfig(settings)).to.throw('KILL_POINT is for tests');
  });
});
