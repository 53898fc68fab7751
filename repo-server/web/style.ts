/** How the pages look: in light and dark, from a phone up, in the fonts that the reader's machine has. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fcfcfa;
  --raised: #f3f4f1;
  --ink: #1c2326;
  --soft: #566064;
  --line: #dcdfdb;
  --accent: #0a5f73;
  --accent-ink: #fff;
  --mark: #b3d9e2;
  --warn-paper: #fdf3df;
  --warn: #7a4b00;
  --good: #1c6b3c;
  --second: #9a4d1f;
  --serif: 'Iowan Old Style', 'Charter', 'Bitstream Charter', 'Palatino Linotype', 'Noto Serif', 'DejaVu Serif', Georgia, serif;
  --sans: system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif;
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', 'JetBrains Mono', 'DejaVu Sans Mono', 'Liberation Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14191b;
    --raised: #1d2427;
    --ink: #e3e8e8;
    --soft: #a0abae;
    --line: #323b3f;
    --accent: #82cbdc;
    --accent-ink: #0d1a1e;
    --mark: #1f4c59;
    --warn-paper: #33280f;
    --warn: #f0c674;
    --good: #86cf9f;
    --second: #e7a479;
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { font: 100%/1.6 var(--sans); -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scrollbar-gutter: stable; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word; }
header, main, footer { max-width: 62rem; margin-inline: auto; padding-inline: clamp(1.1rem, 4vw, 2.5rem); }
header { padding-block: 1.4rem 0; }
main { padding-block: 2.2rem 3.5rem; }
main:focus { outline: none; }
footer { padding-block: 0 3rem; color: var(--soft); font-size: .9rem; }
footer p { border-top: 1px solid var(--line); padding-top: 1.2rem; max-width: none; }
h1, h2, h3 { font-family: var(--serif); font-weight: 600; line-height: 1.2; text-wrap: balance; }
h1 { font-size: clamp(1.8rem, 1.4rem + 2vw, 2.6rem); letter-spacing: -.015em; margin: 0 0 .5rem; }
h2 { font-size: 1.35rem; margin: 2.8rem 0 .8rem; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p, ul, ol, dl, table { margin: 0 0 1rem; }
p { max-width: 42rem; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: .18em; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
code, .version, .path { font-family: var(--mono); font-size: .875em; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.lead { font-size: 1.15rem; color: var(--soft); margin-bottom: 1.6rem; }
.unseen { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
.skip { position: absolute; left: 1rem; top: -6rem; background: var(--accent); color: var(--accent-ink); padding: .6rem 1rem; border-radius: 0 0 .4rem .4rem; z-index: 1; }
.skip:focus { top: 0; }

.bar { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: .3rem 2rem; }
.brand { font: 600 1.3rem/1.4 var(--serif); color: var(--ink); text-decoration: none; padding-block: .3rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0 1.5rem; list-style: none; margin: 0; padding: 0; }
nav[aria-label=Site] a { display: block; padding-block: .55rem; color: var(--soft); text-decoration: none; border-bottom: 2px solid transparent; }
nav[aria-label=Site] a:hover, nav[aria-label=Site] a[aria-current] { color: var(--ink); border-color: var(--accent); }

form label { display: block; font-size: .85rem; color: var(--soft); margin-bottom: .3rem; }
.search { margin-top: 1.1rem; }
.fields { display: flex; gap: .6rem; flex-wrap: wrap; }
input, select, button { font: inherit; color: inherit; min-height: 2.9rem; border-radius: .45rem; border: 1px solid var(--soft); background: var(--paper); padding: .4rem .9rem; }
input[type=search] { flex: 1 1 14rem; min-width: 0; appearance: none; }
button { background: var(--accent); border-color: var(--accent); color: var(--accent-ink); font-weight: 600; cursor: pointer; padding-inline: 1.2rem; }
button:hover { filter: brightness(1.12); }

.packages { list-style: none; padding: 0; border-top: 1px solid var(--line); }
.packages li { display: grid; grid-template-columns: minmax(11rem, 16rem) minmax(0, 1fr) auto; gap: .1rem 1.5rem; align-items: baseline; padding-block: .7rem; border-bottom: 1px solid var(--line); }
.packages a { font-weight: 600; padding-block: .15rem; }
.packages p { margin: 0; grid-column: 2; grid-row: 1; color: var(--ink); }
.packages .version { grid-column: 3; color: var(--soft); text-align: right; }

table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .9rem; padding-bottom: .5rem; }
th, td { text-align: left; vertical-align: baseline; padding: .6rem 1.2rem .6rem 0; border-bottom: 1px solid var(--line); }
th { font-size: .82rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
.number { text-align: right; white-space: nowrap; }

.facts { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr); gap: .45rem 1.6rem; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; }
.tags { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .45rem; }
.tags li { overflow-wrap: anywhere; background: var(--raised); border: 1px solid var(--line); border-radius: .35rem; padding: .1rem .55rem; font-family: var(--mono); font-size: .85rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 0 3rem; }
.plain { list-style: none; padding: 0; }
.names { columns: 11rem; column-gap: 2rem; }
.names li { break-inside: avoid; }
.channels { margin-bottom: 1.6rem; }
.channels ul { gap: .5rem; }
.channels a { display: block; padding: .35rem .9rem; border: 1px solid var(--line); border-radius: 2rem; text-decoration: none; }
.channels a[aria-current] { background: var(--accent); border-color: var(--accent); color: var(--accent-ink); }
.compare { margin-bottom: 2rem; }
.compare .fields { align-items: end; }
.plain li { padding-block: .28rem; border-bottom: 1px solid var(--line); }
.command { display: flex; flex-wrap: wrap; gap: .6rem; align-items: stretch; margin: 1.2rem 0 1.8rem; }
.command code { flex: 0 1 auto; background: var(--raised); border: 1px solid var(--line); border-radius: .45rem; padding: .7rem 1rem; font-size: 1rem; }
.command button { padding-inline: 1rem; background: none; color: var(--accent); }
.paths { columns: 22rem; column-gap: 2.5rem; list-style: none; padding: 0; }
.paths li { break-inside: avoid; padding-block: .12rem; }
.pager { display: flex; gap: 1.5rem; align-items: baseline; margin-block: 1.6rem; }
.pager a { padding-block: .5rem; }
.warning { border-left: .3rem solid var(--warn); background: var(--warn-paper); color: var(--warn); padding: .9rem 1.2rem; margin-bottom: 2rem; border-radius: 0 .4rem .4rem 0; }
.warning h2 { margin: 0 0 .3rem; font-size: 1.05rem; }
.warning ul { margin: 0; padding-left: 1.1rem; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--warn); font-weight: 600; }

figure { margin: 1.2rem 0; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .5rem; max-width: 42rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--raised); }
svg { display: block; font-family: var(--sans); }
.chart { width: 100%; height: auto; max-width: 36rem; }
.chart text, .graph text { fill: var(--ink); font-size: 13px; }
.chart .minor { fill: var(--soft); }
.chart .grid { stroke: var(--line); }
.chart .line { fill: none; stroke-width: 2; }
.chart .first { stroke: var(--accent); fill: var(--accent); }
.chart .second { stroke: var(--second); fill: var(--second); }
.chart .line.first, .chart .line.second { fill: none; }
.chart text.first, .chart text.second { stroke: none; }
.graph .node rect { fill: var(--paper); stroke: var(--line); }
.graph .node:hover rect { stroke: var(--accent); }
.graph .centre rect { fill: var(--accent); stroke: var(--accent); }
.graph .centre text { fill: var(--accent-ink); font-weight: 600; }
.graph .edge { fill: none; stroke: var(--soft); stroke-width: 1.2; opacity: .75; }
.graph marker path { fill: var(--soft); }

@media (max-width: 44rem) {
  .packages li { grid-template-columns: minmax(0, 1fr) auto; gap: .1rem 1rem; }
  .packages p { grid-column: 1 / -1; grid-row: 2; color: var(--soft); }
  .packages .version { grid-column: 2; }
  .fields input[type=search] { flex-basis: 100%; }
  .fields select { flex: 1; }
  .facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .facts dt { font-size: .85rem; margin-top: .5rem; }
  nav ul { gap: 0 1.2rem; }
  table, tbody, caption { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { display: flex; flex-wrap: wrap; gap: 0 1.1rem; padding-block: .7rem; border-bottom: 1px solid var(--line); }
  td, td:last-child { border: 0; padding: 0; text-align: left; white-space: normal; }
  td::before { content: attr(data-label) ' '; font-size: .82rem; color: var(--soft); }
  td:first-child, td.wide { flex-basis: 100%; }
  td:first-child { font-weight: 600; margin-bottom: .1rem; }
  td:first-child::before, td.wide::before { content: none; }
  td:empty { display: none; }
}
@media (prefers-reduced-motion: no-preference) { button, nav a { transition: border-color .12s, filter .12s; } }
@media print { header form, footer, .pager { display: none; } }
`;
