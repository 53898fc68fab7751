/** Debian's control files (deb-control(5)): stanzas of fields, whose values go on in indented lines. */
export type Stanza = Readonly<Record<string, string>>;

/** Names of fields are in lower case; a line of a value that goes on is joined by a line break. */
export function parseControl(text: string): Stanza[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => {
      const fields: Record<string, string> = {};
      let last = '';
      for (const line of block.split('\n')) {
        const match = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
        if (match !== null) {
          last = (match[1] ?? '').toLowerCase();
          fields[last] = match[2] ?? '';
        } else if (/^\s/.test(line) && last !== '') fields[last] = `${fields[last] ?? ''}\n${line.trim()}`;
      }
      return fields;
    })
    .filter((fields) => Object.keys(fields).length > 0);
}

/** Names in a list of relations, without versions, architectures and alternatives. */
export const relationNames = (list: string): string[] =>
  list
    .split(',')
    .map((item) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(item)?.[1])
    .filter((name) => name !== undefined);
