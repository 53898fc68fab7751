/** Parses YAML that strangers wrote, in time and memory that grow no faster than its length. */
import {
  Composer,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
  visit,
  type CST,
  type Document,
  type DocumentOptions,
  type ParseOptions,
  type SchemaOptions,
} from 'yaml';

/** Words, signs and spaces of one document; a recipe of hundreds of sources has some thousand. */
const MAX_TOKENS = 50_000;
/** Collections within one another; recipes have some seven, and the parser calls itself for each. */
const MAX_DEPTH = 64;

/** What is wrong with a text, and the character where. */
export class YamlProblem extends Error {
  readonly place: { readonly line: number; readonly column: number };
  constructor(message: string, place: YamlProblem['place']) {
    super(message);
    this.place = place;
  }
}

export interface ParsedYaml {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

type Options = Pick<ParseOptions & DocumentOptions & SchemaOptions, 'schema' | 'version'>;

/** @throws YamlProblem for text that is no YAML document, is too large or too deep, or has a key twice in a mapping */
export function parseYaml(text: string, options: Options): ParsedYaml {
  const lines = new LineCounter();
  // Its own check of keys compares each with all others.
  const composer = new Composer({ ...options, uniqueKeys: false });
  const documents = composer.compose(tokens(text, lines), true, text.length);
  const { value: document } = documents.next();
  if (document === undefined) throw problem(lines, 0, 'no document');
  const [broken] = document.errors;
  if (broken !== undefined) throw problem(lines, broken.pos[0], lowerFirst(broken.message));
  const { value: second } = documents.next();
  if (second !== undefined) throw problem(lines, second.range[0], 'source contains multiple documents');
  const twice = keyTwice(document);
  if (twice !== undefined) throw problem(lines, twice, 'map keys must be unique');
  return { document, lines };
}

function* tokens(text: string, lines: LineCounter): Generator<CST.Token, void> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let count = 0;
  for (const token of new Lexer().lex(text)) {
    if (++count > MAX_TOKENS)
      throw problem(lines, parser.offset, `too large: more than ${MAX_TOKENS} words and signs`);
    yield* parser.next(token);
    if (parser.stack.length > MAX_DEPTH)
      throw problem(lines, parser.offset, `nested too deep: more than ${MAX_DEPTH} levels`);
  }
  yield* parser.end();
}

/** Where a mapping first has a key for the second time. */
function keyTwice(document: Document.Parsed): number | undefined {
  const places: number[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) places.push(key.range?.[0] ?? 0);
        seen.add(key.value);
      }
    },
  });
  return places.length === 0 ? undefined : places.reduce((first, place) => Math.min(first, place));
}

function problem(lines: LineCounter, offset: number, message: string): YamlProblem {
  const { line, col: column } = lines.linePos(offset);
  return new YamlProblem(message, { line, column });
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
