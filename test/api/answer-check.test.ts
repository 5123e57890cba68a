import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect } from 'chai';
import { failureOf } from '../failure-of.ts';
import { createAnswerCheck, type ReceivedAnswer } from './answer-check.ts';
import { checkedFetch, UndeclaredAnswer } from './checked-fetch.ts';

const text = (schema: object = {}) => ({ schema: { type: 'string', ...schema } });
const json = (schema: object) => ({ content: { 'application/json': { schema } } });
const thing = { type: 'object', properties: { id: { type: 'string' }, size: { type: 'integer' } }, required: ['id'] };
const problem = {
  content: { 'application/problem+json': { schema: { type: 'object', properties: { code: { type: 'string' } } } } },
};

const DOCUMENT = {
  openapi: '3.1.0',
  paths: {
    '/things': {
      post: {
        responses: {
          201: { ...json({ $ref: '#/components/schemas/Thing' }), headers: { ETag: { required: true, ...text() } } },
          409: { $ref: '#/components/responses/problem' },
          default: { $ref: '#/components/responses/problem' },
        },
      },
    },
    '/things/{id}': {
      get: { responses: { 200: json({ $ref: '#/components/schemas/Thing' }), 304: {} } },
      delete: { responses: { 204: {} } },
    },
    '/things/newest': { get: { responses: { 200: json({ type: 'null' }) } } },
    '/things/open': { get: { responses: { 200: json({ ...thing, additionalProperties: {} }) } } },
    '/page': { get: { responses: { 200: { content: { 'text/html': text() } } } } },
  },
  components: { schemas: { Thing: thing }, responses: { problem } },
};

const JSON_TYPE = 'application/json; charset=utf-8';
const PROBLEM_TYPE = 'application/problem+json';

const created = (changes: Partial<ReceivedAnswer> = {}, headers: Record<string, string> = {}): ReceivedAnswer => ({
  ...{ method: 'POST', path: '/things', status: 201, text: '{"id":"a","size":1}' },
  headers: new Headers({ 'content-type': JSON_TYPE, etag: '"0"', ...headers }),
  ...changes,
});
const read = (path: string, content: unknown = { id: 'a' }, status = 200): ReceivedAnswer => ({
  ...{ method: 'GET', path, status, text: JSON.stringify(content) },
  headers: new Headers({ 'content-type': JSON_TYPE }),
});
const refused = (status: number, changes: Partial<ReceivedAnswer> = {}): ReceivedAnswer => ({
  ...{ method: 'POST', path: '/things', status, text: '{"code":"no"}' },
  headers: new Headers({ 'content-type': PROBLEM_TYPE }),
  ...changes,
});
const empty = (method: string, path: string, status: number): ReceivedAnswer => ({
  ...{ method, path, status, text: '', headers: new Headers() },
});

describe('the check of answers against the OpenAPI document', () => {
  const check = createAnswerCheck(DOCUMENT);
  const faults = (answer: ReceivedAnswer): string => check(answer).join('\n');

  it('takes what is declared', () => {
    for (const answer of [
      created(),
      read('/things/17'),
      read('/things/newest', null),
      refused(409),
      refused(500),
      empty('GET', '/things/17', 304),
      empty('DELETE', '/things/17', 204),
      empty('HEAD', '/things/17', 200),
    ]) {
      expect(faults(answer), `${answer.status} ${answer.path}`).to.equal('');
    }
  });

  it('refuses a status that is not declared, and takes "default" for faults of the server only', () => {
    expect(faults(created({ status: 200 }))).to.equal('status 200 is not declared');
    expect(faults(refused(422))).to.equal('status 422 is not declared');
    expect(faults(refused(500, { path: '/things/17', method: 'DELETE' }))).to.equal('status 500 is not declared');
  });

  it('refuses a value of another type, and a missing one', () => {
    expect(faults(created({ text: '{"id":"a","size":"1"}' }))).to.match(/^\/size must be integer/);
    expect(faults(created({ text: '{"size":1}' }))).to.contain("must have required property 'id'");
    expect(faults(created({ text: 'hello' }))).to.contain('not JSON');
  });

  it('refuses a property that is not declared, unless the schema is open', () => {
    const more = { id: 'a', more: true };
    expect(faults(created({ text: JSON.stringify(more) }))).to.contain('"unevaluatedProperty":"more"');
    expect(faults(read('/things/open', more))).to.equal('');
  });

  it('refuses a header that is missing, and one that is not declared', () => {
    const headers = new Headers({ 'content-type': JSON_TYPE });
    expect(faults(created({ headers }))).to.equal('header ETag is missing');
    expect(faults(created({}, { location: '/things/a' }))).to.equal('header location is not declared');
  });

  it('refuses a content type that is not declared, and a body where there is none', () => {
    const headers = new Headers({ 'content-type': 'text/plain', etag: '"0"' });
    expect(faults(created({ headers }))).to.equal('content type text/plain is not declared');
    expect(faults({ ...read('/page'), text: '<p>' })).to.equal('content type application/json is not declared');
    expect(faults({ ...empty('DELETE', '/things/17', 204), text: '{}' })).to.equal('a body where none is declared');
  });

  it('knows a path by the template that says most', () => {
    expect(faults(read('/things/newest'))).to.contain('must be null');
  });

  it('takes of an unknown path or method only the refusal', () => {
    expect(faults(refused(404, { path: '/nothing' }))).to.equal('');
    expect(faults(read('/nothing'))).to.equal('status 200 is not declared');
    const Allow = { 'content-type': PROBLEM_TYPE, allow: 'POST, OPTIONS' };
    expect(faults(refused(405, { method: 'PUT', headers: new Headers(Allow) }))).to.equal('');
    expect(faults(refused(405, { method: 'PUT' }))).to.equal('header allow is missing');
    expect(faults(created({ method: 'PUT' }))).to.contain('status 201 is not declared');
  });

  it('stands between a test and whom it asks', async () => {
    const server = createServer(({ url }, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(url === '/openapi.json' ? JSON.stringify(DOCUMENT) : JSON.stringify({ id: url?.length }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      const failure = await failureOf(checkedFetch(`http://127.0.0.1:${port}/things/17`));
      expect(failure).to.be.instanceOf(UndeclaredAnswer);
      expect(String(failure)).to.match(/200 to GET \/things\/17 .*\n.*\/id must be string/);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
