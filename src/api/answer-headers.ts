import { z } from 'zod';
import { Position } from '../events/event.ts';
import { type JsonSchema, jsonSchemaOf } from './http/json-schema.ts';

const HEADERS = {
  'X-Request-Id': { description: 'The id of this request', schema: z.string().min(1) },
  ETag: { description: 'The revision of the resource, in quotes', schema: z.string().regex(/^"\d+"$/) },
  Position: {
    description: 'Position of the log that the answer includes; for Min-Position and the live stream',
    schema: Position,
  },
  Location: { description: 'Address of the resource or page', schema: z.string().min(1) },
  'Retry-After': { description: 'Seconds to wait before the next attempt', schema: z.string().regex(/^\d+$/) },
  Upgrade: { description: 'The protocol to upgrade to', schema: z.string().min(1) },
  'Set-Cookie': { description: 'State of the sign-in, for GET /auth/callback', schema: z.string().min(1) },
  'WWW-Authenticate': { description: 'The authentication scheme: a bearer token', schema: z.string().min(1) },
} as const;

type AnswerHeader = keyof typeof HEADERS;

/** Headers of an answer: each such answer has them, or some have. */
export type HeadersDeclared = Readonly<Partial<Record<AnswerHeader, 'always' | 'sometimes'>>>;

interface HeaderObject {
  description: string;
  required: boolean;
  schema: JsonSchema;
}

/** The header objects of the OpenAPI document. Every answer has the id of its request. */
export const headersDocumented = (declared: HeadersDeclared): Record<string, HeaderObject> => {
  const presences = new Map(Object.entries({ 'X-Request-Id': 'always', ...declared }));
  return Object.fromEntries(
    Object.entries(HEADERS).flatMap(([name, { description, schema }]) => {
      const presence = presences.get(name);
      if (presence === undefined) return [];
      return [[name, { description, required: presence === 'always', schema: jsonSchemaOf(schema, 'output') }]];
    }),
  );
};
