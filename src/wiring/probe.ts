const CHECK_TIMEOUT_MS = 1_800;

/** Throws where nobody is there. Any answer will do that is no failure of the server: what is asked is whether it lives. */
export const answers = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<void> => {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) });
  await response.body?.cancel();
  if (response.status >= 500 || response.status === 401) throw new Error(`answered ${response.status}`);
};
