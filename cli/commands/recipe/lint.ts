import { resolve } from 'node:path';
import { BaseCommand } from '#cli/base-command';
import { findingLines } from '#cli/finding-lines';
import { Args, Flags } from '#cli/oclif';
import { recipesFlag } from '#cli/recipe-flags';
import { countText } from '#cli/size';
import { IcepkgError } from '#schema/error';
import { nearest } from '#schema/nearest';
import type { Finding } from '#pkgbuild/lint/lint';
import type { Rule } from '#pkgbuild/lint/rule';

/** `icepkg recipe lint`: what is wrong with recipes and packages. */
export default class RecipeLint extends BaseCommand {
  static override summary = 'Look for mistakes in recipes and in built packages';
  static override description = `Recipes are given by name, folder or file, packages by file or by the folder they are in; without any, all recipes
below the recipes/ of the working folder, or the first --recipes, are looked at. docs/lint.md explains every rule.

Errors are what icepkg build refuses, too. The exit status is 16 where one is found; --fail-on makes warnings or matters of
style count as well. What is right as it is is allowed in the recipe, with a reason:

  lint:
    allow:
      - { rule: setuid, paths: [usr/bin/su], reason: asks for the password of root }`;
  static override examples = [
    'icepkg recipe lint',
    'icepkg recipe lint zlib --fail-on warning',
    'icepkg recipe lint packages --json',
    'icepkg recipe lint --explain setuid',
  ];
  static override strict = false;
  static override args = {
    subject: Args.string({ description: 'recipe, package file or folder of packages; several may follow' }),
  };
  static override flags = {
    explain: Flags.string({ helpValue: 'RULE', summary: 'explain a rule and look at nothing' }),
    'fail-on': Flags.option({
      options: ['error', 'warning', 'style'] as const,
      default: 'error' as const,
      helpValue: 'SEVERITY',
      summary: 'fail on findings of that severity or worse',
    })(),
    recipes: recipesFlag,
    all: Flags.boolean({ summary: 'show every finding, and what recipes allow' }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(RecipeLint);
    if (flags.explain !== undefined) return this.explain(flags.explain);
    const { lintSubjects } = await import('#pkgbuild/lint/subjects');
    const { blocking, refuseFindings } = await import('#pkgbuild/lint/lint');
    const { defaultRecipeRoots } = await import('#pkgbuild/recipe');
    const roots = flags.recipes?.map((folder) => resolve(folder)) ?? defaultRecipeRoots();
    const { findings, problem, unreadable } = lintSubjects(argv.map(String), roots);
    for (const line of findingLines(findings, flags.all)) this.print(line);
    const allowed = findings.filter((finding) => finding.allowed !== undefined).length;
    const open = (severity: Finding['severity']): number =>
      findings.filter((one) => one.severity === severity && one.allowed === undefined).length;
    const unread = unreadable === 0 ? '' : ` (${countText(unreadable, 'recipe')} that cannot be read)`;
    if (!flags.quiet)
      this.print(
        `${countText(open('error') + unreadable, 'error')}${unread}, ${countText(open('warning'), 'warning')}, ${open('style')} of style; ${allowed} allowed by recipes`,
      );
    if (problem !== undefined) throw problem;
    const bad = blocking(findings, flags['fail-on']);
    if (!this.jsonEnabled() && bad.length > 0) refuseFindings(bad[0]?.subject ?? '', bad, flags['fail-on']);
    if (bad.length > 0) process.exitCode = new IcepkgError('lint-failed', '').exitStatus;
    return { findings };
  }

  private async explain(name: string): Promise<Rule> {
    const { ALL_RULES, RECIPE_RULES } = await import('#pkgbuild/lint/rules');
    const rule = ALL_RULES.find((one) => one.name === name);
    if (rule === undefined) {
      const guess = nearest(
        name,
        ALL_RULES.map((one) => one.name),
      );
      throw new IcepkgError('not-found', `there is no rule ${name}`, {
        hint: guess === undefined ? 'docs/lint.md lists all rules' : `Did you mean ${guess}?`,
      });
    }
    const about = RECIPE_RULES.some((one) => one.name === name) ? 'recipes' : 'packages';
    this.print(`${rule.name}: ${rule.severity}, on ${about}\n\n${rule.why}\n\n${rule.fix}`);
    return rule;
  }
}
