const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
  main { width: min(22rem, 90vw); }
  h1 { font-size: 1.4rem; margin: 0 0 1.25rem; }
  label { display: block; margin: 0 0 1rem; font-size: .9rem; }
  input { display: block; box-sizing: border-box; width: 100%; margin-top: .25rem; padding: .6rem; font: inherit;
    border: 1px solid #8888; border-radius: .4rem; }
  button { width: 100%; padding: .65rem; font: inherit; font-weight: 600; border: 0; border-radius: .4rem;
    background: #2451d6; color: #fff; cursor: pointer; }
  [role=alert] { margin: 0 0 1rem; padding: .6rem .75rem; border-radius: .4rem; background: #c0262622; }
</style>
</head>
<body><main>${body}</main></body>
</html>
`;

export interface LoginForm {
  action: string;
  csrf: string;
  email: string;
  fault: string | null;
}

/** The sign-in form: plain HTML, works without script. */
export const loginPage = ({ action, csrf, email, fault }: LoginForm): string => {
  const alert = fault === null ? '' : `<p role="alert">${escaped(fault)}</p>`;
  const [focusEmail, focusPassword] = email === '' ? [' autofocus', ''] : ['', ' autofocus'];
  return page(
    'Sign in to BudApp',
    `<h1>Sign in to BudApp</h1>${alert}
<form method="post" action="${escaped(action)}">
<input type="hidden" name="csrf" value="${escaped(csrf)}">
<label>E-mail<input name="email" type="email" autocomplete="username" required value="${escaped(email)}"${focusEmail}></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required${focusPassword}></label>
<button type="submit">Sign in</button>
</form>`,
  );
};

/** The page for a sign-in that cannot continue; it says what to do. */
export const errorPage = (detail: string): string =>
  page(
    'Sign-in failed',
    `<h1>Sign-in failed</h1><p role="alert">${escaped(detail)}</p><p>Go back to the application and try again.</p>`,
  );
