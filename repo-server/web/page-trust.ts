/** Whose keys vouch for a channel, until when, and what an operator should look after. */
import { ROLES, type RoleName } from '../config.ts';
import { isSignedFor } from '../metadata.ts';
import { counted, day } from './figures.ts';
import { markup, type Html, type Part } from './html.ts';
import { channelLinks, type PageContent, type Scene } from './shell.ts';
import { table, type Column } from './table.ts';

const DAY = 86_400_000;
const MOST_KEYS = 50;

interface RoleRow {
  readonly role: RoleName;
  readonly does: string;
  readonly version: number;
  readonly expires: string;
  readonly daysLeft: number;
  readonly threshold: number;
  readonly keyids: readonly string[];
  readonly signed: boolean;
  /** Where it should be signed anew. */
  readonly soon: boolean;
}

const DOES: Readonly<Record<RoleName, string>> = {
  root: 'says whose keys count',
  targets: 'says which packages there are',
  snapshot: 'binds the lists together',
  timestamp: 'says that this is the newest state',
};

export function trustPage(scene: Scene, now: Date): PageContent {
  const { channel, links } = scene;
  const rows = rolesOf(scene, now);
  const problems = rows.flatMap(problemsOf);
  const file = `channels/${channel.name}/metadata/root.json`;
  return {
    title: 'Trust',
    section: 'trust',
    body: markup`<h1>Trust</h1>
<p class="lead">Clients believe signatures, not this server. Every package is named by an index that these keys sign.</p>
${channelLinks(scene, 'trust')}
${problems.length > 0 ? problemBox(problems) : markup`<p class="good">All roles of ${channel.name} are signed and none expires soon.</p>`}
${table(`Roles of the channel ${channel.name}`, columns(), rows)}
<h2>Keys</h2>
${keyTable(scene)}
<h2>The root</h2>
<p>The file <a href="${links.file(file)}">root.json</a> is where trust begins. Get it, or compare it, by a way that this server
has no part in; whoever can change this page can change that file too.</p>`,
  };
}

function rolesOf({ view, channel: { metadata } }: Scene, now: Date): RoleRow[] {
  const { signed: root } = metadata.root;
  return ROLES.flatMap((role): RoleRow[] => {
    const of = metadata[role];
    if (of === undefined) return [];
    const { version, expires } = of.signed;
    const daysLeft = (Date.parse(expires) - now.getTime()) / DAY;
    const { threshold, keyids } = root.roles[role];
    const signed = isSignedFor(root, role, of);
    const soon = daysLeft < view.expiryDays[role] / 4;
    return [{ role, does: DOES[role], version, expires, daysLeft, threshold, keyids, signed, soon }];
  });
}

const columns = (): readonly Column<RoleRow>[] => [
  { label: 'Role', cell: ({ role }) => role },
  { label: 'What it does', kind: 'wide', cell: ({ does }) => does },
  { label: 'Version', cell: ({ version }) => version },
  {
    label: 'Signatures',
    cell: ({ threshold, keyids }) => `${threshold} of ${counted(keyids.length, 'key')}`,
  },
  { label: 'Expires', cell: expiry },
];

function expiry({ expires, daysLeft, soon, signed }: RoleRow): Part {
  if (daysLeft <= 0) return markup`<span class="bad">expired ${day(expires)}</span>`;
  const left = `in ${counted(Math.ceil(daysLeft), 'day')}`;
  return markup`<span class="${soon || !signed ? 'bad' : 'plainly'}">${day(expires)}, ${left}</span>`;
}

function problemsOf({ role, daysLeft, soon, signed, expires }: RoleRow): string[] {
  const problems: string[] = [];
  if (!signed) problems.push(`${role} lacks signatures, clients refuse it`);
  if (daysLeft <= 0) problems.push(`${role} expired at ${expires}, clients refuse the channel`);
  else if (soon)
    problems.push(`${role} expires in ${counted(Math.ceil(daysLeft), 'day')} and should be signed anew`);
  return problems;
}

const problemBox = (problems: readonly string[]): Html =>
  markup`<div class="warning" role="note"><h2>To look after</h2><ul>${problems.map((of) => markup`<li>${of}.</li>`)}</ul></div>`;

function keyTable({ channel: { metadata } }: Scene): Html {
  const { keys, roles } = metadata.root.signed;
  const rows = Object.entries(keys)
    .slice(0, MOST_KEYS)
    .map(([id, { keytype }]) => ({
      id,
      keytype,
      of: ROLES.filter((role) => roles[role].keyids.includes(id)).join(', '),
    }));
  return table(
    `Public keys that root ${metadata.root.signed.version} names`,
    [
      { label: 'Id', cell: ({ id }) => markup`<code>${id}</code>` },
      { label: 'Type', cell: ({ keytype }) => keytype },
      { label: 'Roles', cell: ({ of }) => of },
    ],
    rows,
  );
}
