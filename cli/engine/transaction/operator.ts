/** Who asked, for the history. */
import { userInfo } from 'node:os';

/** The login name, or the number where the account database does not know it. */
export function operatorName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
