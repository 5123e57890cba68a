import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { z } from 'zod';

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same schemas, in which a property that is not described is a fault, unless its object says that it is open. */
const closed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(closed);
  if (!isObject(value)) return value;
  const parts = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, closed(part)]));
  const isClosable = isObject(value.properties) && value.type === 'object' && !('additionalProperties' in value);
  return isClosable ? { ...parts, unevaluatedProperties: false } : parts;
};

const Reference = z.object({ $ref: z.string().startsWith('#/') });
const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });

/** A JSON pointer (RFC 6901). */
export const pointerTo = (...parts: readonly string[]): string =>
  parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

const valueAt = (document: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((at, part) => (isObject(at) ? at[part] : undefined), document);

const segmentsOf = (path: string): string[] => path.replace(/\/$/, '').split('/');

const fits = (template: readonly string[], path: readonly string[]): boolean =>
  template.length === path.length && template.every((part, at) => part.startsWith('{') || part === path[at]);

/** Of two templates that fit, the one that says more comes first, as in the OpenAPI specification. */
const byConcreteness = (a: readonly string[], b: readonly string[]): number => {
  const first = a.findIndex((part, at) => part.startsWith('{') !== (b[at] ?? '').startsWith('{'));
  if (first < 0) return 0;
  return a[first]?.startsWith('{') ? 1 : -1;
};

const describeFault = ({ instancePath, message, params }: ErrorObject): string =>
  `${instancePath} ${message} ${JSON.stringify(params)}`.trim();

/** Where the document describes what was asked for: a pointer to its operation. */
type Described = { kind: 'operation'; pointer: string } | { kind: 'other-methods' } | { kind: 'unknown-path' };

/** Reads an OpenAPI 3.1 document whose references all point into it. */
export const readOpenApi = (given: unknown) => {
  const document = Document.parse(closed(given));
  const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
  formats.default(ajv);
  // The members of the document around its schemas.
  ajv.addVocabulary(Object.keys(document));
  ajv.addSchema(document, 'openapi', undefined, false);
  const templates = Object.keys(document.paths).map(segmentsOf).sort(byConcreteness);

  /** Follows references; the value is undefined where there is none. */
  const locate = (pointer: string): { pointer: string; value: unknown } => {
    const value = valueAt(document, pointer);
    const reference = Reference.safeParse(value);
    return reference.success ? locate(reference.data.$ref.slice(1)) : { pointer, value };
  };

  return {
    locate,
    describes(method: string, path: string): Described {
      const segments = segmentsOf(path);
      const fitting = templates.filter((template) => fits(template, segments)).map((parts) => parts.join('/'));
      if (fitting.length === 0) return { kind: 'unknown-path' };
      const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
      const template = fitting.find((each) => document.paths[each]?.[verb] !== undefined);
      if (template === undefined) return { kind: 'other-methods' };
      return { kind: 'operation', pointer: pointerTo('paths', template, verb) };
    },
    /** What of the value does not fit the schema there, which is compiled at its first use. */
    faultsOf(pointer: string, value: unknown): string[] {
      const validate = ajv.getSchema(`openapi#${pointer.split('/').map(encodeURIComponent).join('/')}`);
      if (!validate) throw new Error(`the document has no schema at ${pointer}`);
      validate(value);
      return (validate.errors ?? []).map(describeFault);
    },
  };
};

export type OpenApi = ReturnType<typeof readOpenApi>;
