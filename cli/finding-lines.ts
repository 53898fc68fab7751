/** What a linter found, in lines for people. */
import { relative } from 'node:path';
import type { Finding } from '#pkgbuild/lint/lint';
import type { Place } from '#pkgbuild/yaml';

/** At most so many findings of one rule are shown for one recipe or package. */
const SHOWN = 5;

/** Rule by rule, a few findings of each unless `all` are wanted. */
export function findingLines(findings: readonly Finding[], all: boolean): string[] {
  const shown = all ? findings : findings.filter(({ allowed }) => allowed === undefined);
  return byRule(shown).flatMap((group) => {
    const first = all ? group : group.slice(0, SHOWN);
    const lines = first.map((finding) => {
      const { allowed } = finding;
      return `${findingLine(finding)}${allowed === undefined ? '' : `; allowed: ${allowed}`}`;
    });
    const more = group.length - first.length;
    const { subject, rule } = group[0] ?? { subject: '', rule: '' };
    if (more > 0) lines.push(`${subject}: and ${more} more (${rule}); --all shows them`);
    return lines;
  });
}

/** One line for each rule of each package. */
export const briefLines = (findings: readonly Finding[]): string[] =>
  byRule(findings).flatMap(([first, ...more]) => {
    if (first === undefined) return [];
    return [`${findingLine(first)}${more.length === 0 ? '' : `, and ${more.length} more`}`];
  });

function byRule(findings: readonly Finding[]): Finding[][] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const key = `${finding.subject}\0${finding.rule}`;
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return [...groups.values()];
}

function findingLine({ subject, place, severity, message, rule }: Finding): string {
  const where = place === undefined ? subject : shownPlace(place);
  return `${where}: ${severity}: ${message} (${rule})`;
}

/** Below the working folder from there, as compilers and editors have it. */
function shownPlace({ file, line, column }: Place): string {
  const near = relative('', file);
  return `${near.startsWith('..') ? file : near}:${line}:${column}`;
}
