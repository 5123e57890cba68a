import { z } from 'zod';
import type { Identity, Tokens } from '../../ports/identity.ts';
import type { OnceOptions, RepeatedAnswers, Unrepeatable } from '../../postgres/repeated-answers.ts';

const TokensKept: z.ZodType<Tokens> = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number(),
});

const refreshWith = (secret: string): Unrepeatable => ({ kind: 'refresh', secret });

/**
 * Gives the same new tokens for the same refresh token or code for `grace_seconds`, whichever process is asked: two tabs
 * refresh at once, and an answer gets lost. After that the provider decides, which takes a used token for a stolen one.
 * Zero seconds: it always does.
 */
export const repeatableIdentity = (
  identity: Identity,
  { answers, grace_seconds }: { answers: RepeatedAnswers; grace_seconds: number },
): Identity => {
  if (grace_seconds === 0) return identity;
  const keeping = (request: Unrepeatable): OnceOptions<Tokens> => ({
    ...request,
    keep_seconds: grace_seconds,
    schema: TokensKept,
    leadsTo: ({ refresh_token }) => refreshWith(refresh_token),
  });
  return {
    ...identity,
    refresh: (refreshToken) => answers.once(keeping(refreshWith(refreshToken)), () => identity.refresh(refreshToken)),
    exchangeCode(pending) {
      const secret = [pending.code_verifier, pending.state, pending.callback_url].join('\n');
      return answers.once(keeping({ kind: 'code', secret }), () => identity.exchangeCode(pending));
    },
    async logout(tokens) {
      await identity.logout(tokens);
      if (tokens.refresh_token !== undefined) await answers.forget(refreshWith(tokens.refresh_token));
    },
  };
};
