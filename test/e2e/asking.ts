import { expect } from 'chai';
import { checkedFetch } from '../api/checked-fetch.ts';
import { ADMIN } from './budapp.ts';

export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came.
  body: any;
}

interface Content {
  json?: unknown;
  body?: RequestInit['body'];
  headers?: Record<string, string>;
}

/** Asks as one person, and answers whatever came, refusals too. */
export type Ask = (method: string, path: string, content?: Content) => Promise<Reply>;

export const asking =
  (url: string, token: string | null = null): Ask =>
  async (method, path, { json, body, headers = {} } = {}) => {
    const response = await checkedFetch(new URL(path, url), {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: json === undefined ? (body ?? null) : JSON.stringify(json),
      signal: AbortSignal.timeout(60_000),
      ...{ duplex: 'half' },
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  };

export interface Person {
  ask: Ask;
  token: string;
  refresh_token: string;
}

const personOf = (url: string, { body }: Reply): Person => ({
  ask: asking(url, body.access_token),
  token: body.access_token,
  refresh_token: body.refresh_token,
});

export const admin = async (url: string): Promise<Person> => {
  const reply = await asking(url)('POST', '/auth/login', { json: ADMIN });
  expect(reply.status, JSON.stringify(reply.body)).to.equal(200);
  return personOf(url, reply);
};

/** Somebody new, who may do what a developer may. */
export const newcomer = async (url: string, name: string): Promise<Person> => {
  const json = { email: `${name}@example.test`, password: 'Battery-Staple-8', name };
  const reply = await asking(url)('POST', '/auth/register', { json });
  expect(reply.status, JSON.stringify(reply.body)).to.equal(201);
  return personOf(url, reply);
};

/** A refusal is a problem document: its status, its stable code, words for a person, and no insides of ours. */
export const expectProblem = (reply: Reply, status: number, code: string): void => {
  const { body, headers } = reply;
  expect([reply.status, body.code], JSON.stringify(body)).to.deep.equal([status, code]);
  expect(headers.get('content-type')).to.match(/^application\/problem\+json/);
  expect(body.status).to.equal(status);
  expect(body.type).to.be.a('string');
  expect(body.title).to.be.a('string').and.not.equal('');
  expect(body.detail).to.be.a('string').and.not.equal('');
  expect(body.request_id).to.equal(headers.get('x-request-id'));
  expect(JSON.stringify(body)).not.to.match(/node_modules|\.ts:\d|at \w+ \(|select |insert into/);
};
