/** Just enough of a browser for a login form: keeps cookies, follows redirects by hand. */
export interface Browser {
  get(url: string): Promise<Response>;
  submit(url: string, fields: Readonly<Record<string, string>>): Promise<Response>;
}

/** `send`: for a test that checks what one of the sites answers. */
export const createBrowser = (send: (url: string, init: RequestInit) => Promise<Response> = fetch): Browser => {
  const jar: { name: string; value: string; path: string }[] = [];

  const remember = (response: Response): void => {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const [name = '', ...value] = pair.split('=');
      const path = attributes.find((attribute) => attribute.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
      const known = jar.findIndex((cookie) => cookie.name === name && cookie.path === path);
      if (known >= 0) jar.splice(known, 1);
      if (value.join('=') !== '') jar.push({ name, value: value.join('='), path });
    }
  };

  const load = async (url: string, init: RequestInit): Promise<Response> => {
    const { pathname } = new URL(url);
    const cookie = jar
      .filter(({ path }) => pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    const response = await send(url, { ...init, redirect: 'manual', headers: { cookie, accept: 'text/html' } });
    remember(response);
    return response;
  };

  return {
    get: (url) => load(url, {}),
    submit: (url, fields) => load(url, { method: 'POST', body: new URLSearchParams(fields) }),
  };
};

/** Where a redirect leads, as an absolute address. */
export const locationOf = (response: Response, from: string): string => {
  const location = response.headers.get('location');
  if (location === null) throw new Error(`no redirect but ${response.status}`);
  return new URL(location, from).href;
};

/** Where the first form of a page is sent, and its hidden fields. */
export const formOf = (html: string): { action: string; hidden: Record<string, string> } => ({
  action: /<form[^>]* action="([^"]*)"/.exec(html)?.[1] ?? '',
  hidden: Object.fromEntries(
    [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  ),
});
