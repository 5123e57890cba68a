/** An answer or a message that a test looks into; what it reads, it also expects something of. */
// biome-ignore lint/suspicious/noExplicitAny: typing every answer here would only repeat the contract's schemas
export type Json = any;
