import type { Config } from '../config/config.ts';
import type { BudApp } from './budapp.ts';

/** What a person reads at the start: where it is, who may log in, where the data lives, and what is a stand-in. */
export const greeting = (
  { admin, data_dir, keycloak, stand_ins }: Config,
  { url, generated_password, dependencies }: BudApp,
): string => {
  const width = Math.max(...dependencies.map(({ name }) => name.length));
  const parts = dependencies.map(
    ({ name, implementation, stand_in }) =>
      `  ${name.padEnd(width)}  ${implementation}${stand_in ? '  (stand-in)' : ''}`,
  );
  const password = generated_password ? [`Password:  ${generated_password}   (generated; shown only this once)`] : [];
  return [
    '',
    `BudApp:    ${url}`,
    `API docs:  ${url}/docs`,
    // Keycloak knows its people itself.
    ...(keycloak ? [] : [`Admin:     ${admin.email}`, ...password]),
    ...(stand_ins.length > 0 ? [`Data:      ${data_dir}`] : []),
    'Works with:',
    ...parts,
    '',
  ].join('\n');
};
