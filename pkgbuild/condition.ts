/** Conditions of a recipe: names joined by `&&` and `||`, each perhaps with `!` before it; `&&` binds closer. */

/** Names that a condition asks for. */
export const conditionNames = (condition: string): string[] => condition.match(/[a-z][a-z0-9_-]*/g) ?? [];

/** @param facts names that hold */
export function holds(condition: string | undefined, facts: ReadonlySet<string>): boolean {
  if (condition === undefined) return true;
  return condition.split('||').some((all) =>
    all.split('&&').every((word) => {
      const name = word.trim();
      return name.startsWith('!') ? !facts.has(name.slice(1)) : facts.has(name);
    }),
  );
}
