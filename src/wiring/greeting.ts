import type { Config } from '../config/config.ts';
import type { BudApp } from './budapp.ts';

/** The text that a start prints: the address, who may log in, where the data is, and which systems are stand-ins. */
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
    // With Keycloak, BudApp has no administrator's account of its own.
    ...(keycloak ? [] : [`Admin:     ${admin.email}`, ...password]),
    ...(stand_ins.length > 0 ? [`Data:      ${data_dir}`] : []),
    'Works with:',
    ...parts,
    '',
  ].join('\n');
};
