/**
 * Whether a subject fits a pattern, as in NATS: tokens are separated by dots, `*` stands for exactly one token, `>` at
 * the end for one or more.
 */
export const subjectMatches = (pattern: string, subject: string): boolean => {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (const [index, want] of wanted.entries()) {
    if (want === '>') return tokens.length > index;
    const token = tokens[index];
    if (token === undefined || (want !== '*' && want !== token)) return false;
  }
  return tokens.length === wanted.length;
};

/** Whether NATS would accept the pattern: no empty token, no white space, `>` only at the end. */
export const isPattern = (pattern: string): boolean => {
  const tokens = pattern.split('.');
  return tokens.every(
    (token, index) => token !== '' && !/\s/.test(token) && (token !== '>' || index === tokens.length - 1),
  );
};
