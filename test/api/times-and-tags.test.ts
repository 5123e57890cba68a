import { expect } from 'chai';
import { revisionsOf } from '../../src/api/http/entity-tags.ts';
import { QueryTime } from '../../src/api/http/query-time.ts';
import { type RunningApi, startApi } from './running-api.ts';

/** One moment, as clients write it. */
const FORMS = [
  '2026-01-31T12:00:00.123456Z',
  '2026-01-31T12:00:00.123456+00:00',
  '2026-01-31T13:30:00.123456+01:30',
  '2026-01-30T22:00:00.123456-14:00',
];
const NO_TIMES = [
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+01:00',
  '9999-12-31T23:59:59-01:00',
  '2026-02-30T00:00:00Z',
  '2026-01-31T12:00:00',
  '2026-01-31',
];
const HOUR_MS = 3_600_000;

describe('times and entity tags of requests', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  const makeProject = async (name: string) => {
    const made = await api.admin.post('/projects', { name });
    expect(made.status, JSON.stringify(made.body)).to.equal(201);
    await api.admin.getAfter(made, '/audit/events');
    return { id: String(made.body.id), path: `/projects/${made.body.id}`, made };
  };

  /** Each parameter of a query that the document calls a time, of the project or of an endpoint that does not exist. */
  const timesInQueries = async (id: string): Promise<string[]> => {
    const { body } = await api.request('GET', '/openapi.json');
    // biome-ignore lint/suspicious/noExplicitAny: a document of whatever shape.
    return Object.entries<any>(body.paths).flatMap(([path, { get }]) =>
      (get?.parameters ?? [])
        .filter((parameter: object) => JSON.stringify(parameter).includes('"date-time"'))
        .map(({ name }: { name: string }) => {
          const asked = path.replace('{area}', 'project').replace(/\{\w+\}/, id);
          return `${asked}?${name}=`;
        }),
    );
  };

  it('are one moment in each form, also where the plus was not encoded', () => {
    for (const form of FORMS) {
      for (const sent of [form, form.replace('+', ' ')]) expect(QueryTime.parse(sent), sent).to.equal(FORMS[0]);
    }
    for (const text of NO_TIMES) expect(QueryTime.safeParse(text).success, text).to.equal(false);
  });

  it('are taken with any offset, and refused where they are none, by each query that has times', async () => {
    const { id } = await makeProject('timed');
    const queries = await timesInQueries(id);
    expect(queries).to.have.length.of.at.least(5);
    for (const query of queries) {
      for (const form of FORMS) {
        const encoded = await api.admin.get(query + encodeURIComponent(form));
        expect(encoded.status, `${query}${form}: ${JSON.stringify(encoded.body)}`).to.be.oneOf([200, 404]);
        expect((await api.admin.get(query + form)).status, query + form).to.equal(encoded.status);
      }
      for (const text of NO_TIMES) {
        const { status, body } = await api.admin.get(query + encodeURIComponent(text));
        // A date alone can be read as a position.
        if (query.includes('as_of') && text === '2026-01-31') expect(body.code).to.equal('unknown-position');
        else
          expect({ status, code: body.code }, query + text).to.deep.equal({ status: 400, code: 'invalid-parameter' });
      }
    }
  });

  it('filter by the moment, not by the text', async () => {
    const { made } = await makeProject('filtered');
    const at = Date.parse(made.body.created_at);
    const inKolkata = (time: number) => new Date(time + 5.5 * HOUR_MS).toISOString().replace('Z', '+05:30');
    const count = async (from: number) => {
      const query = `/audit/events?resource_id=${made.body.id}&from=${encodeURIComponent(inKolkata(from))}`;
      return (await api.admin.getAfter(made, query)).body.items.length;
    };
    expect(await count(at - 1000)).to.equal(1);
    expect(await count(at + 1000)).to.equal(0);
  });

  it('refuse the state of a future time or position', async () => {
    const { id, path, made } = await makeProject('foretold');
    const stateAt = (as_of: string) => api.admin.get(`/audit/project/${id}/state?as_of=${encodeURIComponent(as_of)}`);
    const position = made.headers.get('position') ?? '';
    const later = position.replace(/\d(?=\D*$)/, '9').replace(/^0/, '9');
    for (const future of [new Date(Date.now() + HOUR_MS).toISOString(), '9999-12-31T23:59:59Z', later]) {
      const { status, body } = await stateAt(future);
      expect({ status, code: body.code }, future).to.deep.equal({ status: 422, code: 'as-of-in-future' });
    }
    await api.admin.call('PATCH', path, { name: 'foretold no more' });
    expect((await stateAt(position)).body.name).to.equal('foretold');
  });

  for (const [tags, matches] of [
    ['"1"', true],
    ['W/"1"', true],
    ['"0", "1"', true],
    ['W/"0",W/"1" , "x,y"', true],
    ['"another\'s", , "1"', true],
    ['*', true],
    ['"0"', false],
    ['W/"0", "2"', false],
    ['"1-gzip"', false],
  ] as const) {
    it(`${matches ? 'match' : 'do not match'} revision 1 as ${tags}`, async () => {
      const { path } = await makeProject(`tagged ${tags.replace(/\W/g, '-')} ${crypto.randomUUID()}`);
      const second = await api.admin.call('PATCH', path, { description: 'second' });
      expect(second.headers.get('etag')).to.equal('"1"');
      await api.admin.getAfter(second, path);
      const read = await api.admin.get(path, { 'if-none-match': tags });
      expect(read.status).to.equal(matches ? 304 : 200);
      const changed = await api.admin.call('PATCH', path, { description: 'third' }, { 'if-match': tags });
      expect(changed.status, JSON.stringify(changed.body)).to.equal(matches ? 200 : 412);
    });
  }

  it('are refused in If-Match where they are no tags, and ignored in If-None-Match', async () => {
    const { path } = await makeProject('no tags');
    for (const text of ['1', 'w/"1"', '"1" "2"', '*, "1"', '"1']) {
      const changed = await api.admin.call('PATCH', path, { description: 'x' }, { 'if-match': text });
      expect(changed.body, text).to.include({ status: 400, code: 'malformed-if-match' });
      expect((await api.admin.get(path, { 'if-none-match': text })).status, text).to.equal(200);
    }
  });

  it('are read in no time, however long and wrong the list is', () => {
    const begun = performance.now();
    for (const gap of [' ,', '\t , ', ' ', ',']) expect(revisionsOf(`"1"${gap.repeat(5000)}x`)).to.equal(null);
    expect(performance.now() - begun).to.be.below(500);
  });

  it('have a correlation of their own for each request, also with one X-Request-Id', async () => {
    const id = crypto.randomUUID();
    const headers = { 'x-request-id': id };
    const correlations: string[] = [];
    for (const name of ['one', 'other']) {
      const made = await api.admin.post('/projects', { name }, headers);
      expect(made.headers.get('x-request-id')).to.equal(id);
      const { body } = await api.admin.getAfter(made, `/audit/events?resource_id=${made.body.id}`);
      correlations.push(body.items[0].correlation_id);
    }
    expect(new Set(correlations).size).to.equal(2);
  });
});
