/** Tells in sentences why there is no answer. */
import { factsOf, type Cause, type Incompatibility } from './incompatibility.ts';

/** One sentence a fact, what was asked for first; together they contradict one another. */
export function explain(proof: Incompatibility): readonly string[] {
  const lines = new Map<string, boolean>();
  for (const { cause } of factsOf(proof)) {
    const line = sentence(cause);
    if (line !== undefined) lines.set(line, cause.kind === 'world');
  }
  const asked = [...lines].filter(([, world]) => world).map(([line]) => line);
  const facts = [...lines].filter(([, world]) => !world).map(([line]) => line);
  return [...asked, ...facts];
}

function sentence(cause: Cause): string | undefined {
  switch (cause.kind) {
    case 'world':
      return cause.text.startsWith('!')
        ? `${cause.text.slice(1)} is refused by the world (${cause.text})`
        : `${cause.text} is asked for${supply(cause.offered)}`;
    case 'needs':
      return `${cause.by} needs ${cause.text}${supply(cause.offered)}`;
    case 'conflicts':
      return `${cause.by} conflicts with ${cause.text.slice(1)}`;
    case 'exclusive':
      return `${cause.by} provides ${cause.text}, of which there can be only one`;
    case 'hold':
      return `${cause.by} is held at ${cause.text} (icepkg unhold ${cause.by} lets it change)`;
    case 'pin':
      return `${cause.by} is pinned to ${cause.text} (icepkg unpin ${cause.by} lets it come from elsewhere)`;
    case 'recommends':
      return `${cause.by} recommends ${cause.text}`;
    case 'installIf':
      return `${cause.by} comes with ${cause.text}`;
    case 'orphan':
      return `${cause.by} is kept`;
    case 'derived':
      return undefined;
  }
}

const SHOWN = 5;

function supply(offered: readonly string[]): string {
  if (offered.length === 0) return ', which no repository offers';
  const more = offered.length > SHOWN ? ` and ${offered.length - SHOWN} more` : '';
  return ` (there is ${offered.slice(0, SHOWN).join(', ')}${more})`;
}
