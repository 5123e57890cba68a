/** User and password in the URL that a text is. The parsers of URLs take `\\` for `/`, and skip tabs and line ends. */
const USER_INFO = /^(\s*https?:[\\/\s]*)[^\\/?#]*@/i;

/** The text without the user and password of the URL that it is. */
export const withoutUserInfo = (text: string): string => text.replace(USER_INFO, '$1');

export const hasUserInfo = (text: string): boolean => USER_INFO.test(text);
