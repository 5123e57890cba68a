import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { openApiOf } from '../openapi.ts';
import { publicRoute } from '../public-route.ts';
import { answers, ok, type Route } from '../route.ts';
import type { ApiSettings } from '../services.ts';

const tag = 'operations';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>BudApp API</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="docs"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

/**
 * Replaces the document's server by the page's own origin: the page may be open under another address, and its policy
 * lets it connect to its own origin only.
 */
const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  persistAuthorization: false,
  requestInterceptor: (request) => {
    request.url = request.url.replace(/^https?:\\/\\/[^/]+/, location.origin);
    return request;
  },
});
`;

/** Everything comes from the page's own origin. Swagger UI sets inline styles, so those are allowed. */
const PAGE_POLICY = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'",
};

const FILES = { 'swagger-ui.css': 'text/css', 'swagger-ui-bundle.js': 'text/javascript' } as const;

const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

const asset = (name: string, type: string, content: () => Promise<Buffer | string>): Route =>
  publicRoute({
    method: 'GET',
    path: `/docs/${name}`,
    operation_id: `getDocs_${name.replace(/\W/g, '_')}`,
    summary: `Get ${name} of the documentation page`,
    tag,
    answers: { ok: { description: 'The file', schema: null, type } },
    handle: async () => ({
      success: 'ok',
      body: await content(),
      type: `${type}; charset=utf-8`,
      headers: { 'Cache-Control': 'public, max-age=3600' },
    }),
  });

const page = publicRoute({
  method: 'GET',
  path: '/docs',
  operation_id: 'getDocs',
  summary: 'Get the interactive API documentation',
  tag,
  answers: { ok: { description: 'An HTML page', schema: null, type: 'text/html' } },
  handle: async () => ({ success: 'ok', body: PAGE, type: 'text/html; charset=utf-8', headers: PAGE_POLICY }),
});

const LINKS = { docs: '/docs', openapi: '/openapi.json', health: '/health/ready', version: '/version' };

const WELCOME = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>BudApp</title>
    <link rel="icon" href="data:," />
  </head>
  <body>
    <h1>BudApp</h1>
    <p>The control plane for deploying AI models. This is its API.</p>
    <ul>
      <li><a href="/docs">Documentation, to read and to try</a></li>
      <li><a href="/openapi.json">OpenAPI document</a></li>
      <li><a href="/health/ready">Health of the system</a></li>
      <li><a href="/version">Version</a></li>
    </ul>
  </body>
</html>
`;

/** For a person who opens the address of the API. */
const welcome = publicRoute({
  method: 'GET',
  path: '/',
  operation_id: 'getWelcome',
  summary: 'Find the way: a page for browsers, links for others',
  tag,
  answers: { ok: { description: 'An HTML page, or the links as JSON', schema: null, type: 'text/html' } },
  handle: async ({ ctx }) => {
    const headers = { Vary: 'Accept' };
    if (ctx.accepts('json', 'html') !== 'html') return ok({ name: 'BudApp', ...LINKS }, headers);
    return { success: 'ok', body: WELCOME, type: 'text/html; charset=utf-8', headers: { ...PAGE_POLICY, ...headers } };
  },
});

const documentRoute = (read: () => string): Route =>
  publicRoute({
    method: 'GET',
    path: '/openapi.json',
    operation_id: 'getOpenApi',
    summary: 'Get the OpenAPI document',
    tag,
    answers: answers(z.looseObject({ openapi: z.string() }), 'The document'),
    handle: async () => ok(read(), { 'Cache-Control': 'public, max-age=60' }),
  });

/** The OpenAPI document and the page that shows it, without files from other hosts. */
export const docsRoutes = (others: readonly Route[], settings: ApiSettings): Route[] => {
  const document = documentRoute(() => text);
  // The pages for persons and their files are not listed in the document.
  const text: string = JSON.stringify(openApiOf([...others, page, document], settings));
  const files = Object.entries(FILES).map(([name, type]) => asset(name, type, () => readFile(join(folder, name))));
  return [welcome, page, document, asset('start.js', 'text/javascript', async () => START), ...files];
};
