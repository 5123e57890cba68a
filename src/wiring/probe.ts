const CHECK_TIMEOUT_MS = 1_800;

/**
 * Throws where the server does not answer, answers with a failure of its own (5xx), or refuses the token. Any other
 * answer shows that it lives, so its content does not matter.
 */
export const probe = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<void> => {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) });
  await response.body?.cancel();
  if (response.status >= 500 || response.status === 401) throw new Error(`answered ${response.status}`);
};
