/** Licences as SPDX expressions. */
import parse from 'spdx-expression-parse';

/** Exceptions that SPDX came to list after the parser's data were made, and those that a recipe names itself. */
const MORE_EXCEPTIONS = /\bWITH +(?:PCRE2-exception|AdditionRef-[A-Za-z0-9.-]+)/g;

/** True for an expression of licences and exceptions that SPDX lists, or of `LicenseRef-` names. */
export function isLicenseExpression(text: string): boolean {
  try {
    parse(text.replaceAll(MORE_EXCEPTIONS, 'WITH Classpath-exception-2.0'));
    return true;
  } catch {
    // The parser throws plain errors for everything that is no expression.
    return false;
  }
}
