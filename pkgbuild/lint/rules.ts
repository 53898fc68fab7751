/** Every rule; `docs/lint.md` explains them in this order. */
import { ELF_RULES } from './elf-rules.ts';
import { LAYOUT_RULES } from './layout-rules.ts';
import { METADATA_RULES } from './metadata-rules.ts';
import { ABOUT_RULES } from './recipe-rules.ts';
import { RELATION_RULES } from './relation-rules.ts';
import type { PackageRule, RecipeRule } from './rule.ts';
import { SOURCE_RULES } from './source-rules.ts';
import { STEP_RULES } from './step-rules.ts';

export const RECIPE_RULES: readonly RecipeRule[] = [
  ...ABOUT_RULES,
  ...RELATION_RULES,
  ...SOURCE_RULES,
  ...STEP_RULES,
];
export const PACKAGE_RULES: readonly PackageRule[] = [...ELF_RULES, ...LAYOUT_RULES, ...METADATA_RULES];
export const ALL_RULES: readonly (RecipeRule | PackageRule)[] = [...RECIPE_RULES, ...PACKAGE_RULES];
