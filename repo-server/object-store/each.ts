/** Does the same with many paths, some of them at a time; the first failure ends it once the others at hand are done. */
export async function forEachPath(
  paths: readonly string[],
  parallel: number,
  work: (path: string) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let path = paths[next++]; path !== undefined && failures.length === 0; path = paths[next++]) {
      try {
        await work(path);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  if (failures.length > 0) throw failures[0];
}
