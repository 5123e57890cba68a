/** Not a case of `i`, although its upper case is `I`. */
const NOT_DOTLESS_I = /[^ı]+/gu;

/** Case folding: by way of upper case, which also unites `ß` with `ss`, and the two small sigmas. */
const foldCase = (text: string): string =>
  text.replaceAll(NOT_DOTLESS_I, (part) => part.toUpperCase().toLowerCase()).normalize('NFKC');

/**
 * What distinguishes names: NFKC and case folding, without surrounding white space and without what cannot be seen. It
 * names streams of the log, so what it makes of a name must not change.
 */
export const nameKey = (name: string): string => {
  const seen = name.normalize('NFKC').replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '');
  // Folding can make a character that folds again.
  return foldCase(foldCase(seen)).trim();
};

/** The key of the first releases, under which names of that time are reserved. */
export const formerNameKey = (name: string): string => name.trim().normalize('NFC').toLowerCase();
