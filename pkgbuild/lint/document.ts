/** The page of the manual on the linter: `npm run docs` writes it. */
import type { Rule } from './rule.ts';
import { PACKAGE_RULES, RECIPE_RULES } from './rules.ts';

const HEAD = `# Lint

\`icepkg recipe lint\` looks for mistakes in recipes and in built packages. \`icepkg build\` looks as well: it refuses errors, and ends with the
warnings on what it has just built.

\`\`\`sh
icepkg recipe lint                        # all recipes below recipes/
icepkg recipe lint zlib ./my-recipe       # some of them
icepkg recipe lint packages               # built packages: a folder, or files
icepkg recipe lint --explain setuid       # one rule
\`\`\`

A finding on a recipe begins with its file, line and column: those of the field where it is about one.
Packages that are named together, or lie in one folder, may provide what the others need.

| severity | meaning                                                                |
| -------- | ---------------------------------------------------------------------- |
| error    | certainly wrong: it blocks \`icepkg build\`, and the exit status is 16   |
| warning  | probably a fault; \`--fail-on warning\` makes it count                   |
| style    | how recipes and packages should look; \`--fail-on style\` makes it count |

What is right as it is is allowed in the recipe, for paths or, without \`paths\`, for all of the recipe and its packages. The reason is
for whoever reads the recipe next:

\`\`\`yaml
lint:
  allow:
    - { rule: setuid, paths: [usr/bin/su], reason: asks for the password of root }
\`\`\`

\`--all\` shows what is allowed, too. \`--json\` gives every finding with rule, severity, place in the recipe, path, message, fix and the reason.
`;

/** Markdown with a section for every rule. */
export const lintDocument = (): string =>
  `${HEAD}
## Rules on recipes

${RECIPE_RULES.map(section).join('\n')}
## Rules on packages

${PACKAGE_RULES.map(section).join('\n')}`;

const section = ({ name, severity, why, fix }: Rule): string =>
  `### ${name}\n\n_${severity}._ ${why}\n\n${fix}\n`;
