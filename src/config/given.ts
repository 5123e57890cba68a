/** The environment's variables by name; what is not set is absent. */
export type Given = Readonly<Record<string, string>>;

/** An empty variable (`POSTGRES_HOST=` in a compose file) counts as not set. */
export const setVariables = (env: NodeJS.ProcessEnv): Given =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])),
  );
