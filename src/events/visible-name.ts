import { z } from 'zod';

/**
 * Characters that show nothing, that turn the direction of the text around them, or that have no meaning in this version
 * of Unicode: names that differ in them alone look alike. The zero-width joiner of emoji sequences is one of them.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
/** Phones send many emoji with it. The key of a name leaves it out. */
const EMOJI_STYLE = /(?<=\p{Emoji})\ufe0f/gu;

const codePointOf = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

const NAME_RULE =
  'Characters (code points) of any script, without control, zero-width and direction characters. Names are compared by NFKC and case folding.';

/** A name for people to read, in any script; surrounding white space is removed. */
export const visibleName = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .check(({ value, issues }) => {
      const [unseen] = UNSEEN.exec(value.replaceAll(EMOJI_STYLE, '')) ?? [];
      if (unseen === undefined) return;
      const message = `contains the invisible character ${codePointOf(unseen)}; control, zero-width and direction characters are not allowed in names`;
      issues.push({ code: 'custom', message, input: value });
    })
    .meta({ description: NAME_RULE });
