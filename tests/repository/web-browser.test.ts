/** The pages of a served repository in a real browser: by keyboard, without scripts, on a phone, in the dark. */
import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addPackages } from '#repo-server/add';
import { publish } from '#repo-server/publish';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { openBrowser } from '../support/browser.ts';
import { makeDepot, type DeclaredPackage, type Depot } from '../support/repository.ts';

let depot: Depot;
let server: RepositoryServer;
let browser: Browser;
beforeAll(async () => {
  depot = await makeDepot();
  const zlib = (version: string, size: number): DeclaredPackage => ({
    name: 'zlib',
    version,
    description: 'Compression library',
    license: 'Zlib',
    url: 'https://zlib.net/',
    provides: ['so:libz.so.1'],
    files: { 'usr/lib/libz.so.1': 'x'.repeat(size) },
  });
  await depot.publish(
    zlib('1.2.0-r0', 4000),
    {
      name: 'curl',
      description: 'Command that fetches and sends by URL',
      depends: ['so:libz.so.1', 'tls | cmd:nothing'],
      files: {
        'usr/bin/curl': 'x',
        'usr/share/a-folder-with-a-very-long-name/and-another-one/that-goes-on/for-ever.conf': 'x',
      },
    },
    { name: 'tls', description: 'Cryptography', depends: ['zlib'] },
    {
      name: 'hostile',
      description: '<img src=x onerror=alert(1)><script>alert(2)</script>',
      url: 'javascript:alert(3)',
      provides: ['cmd:"><svg/onload=alert(4)>'],
    },
  );
  await depot.publish(zlib('1.3.0-r0', 9000));
  await addPackages(depot.repository, await depot.pack({ name: 'trial' }), { channel: 'beta' });
  await publish(depot.repository, { keys: [depot.key], channel: 'beta' });
  server = await serve(depot.repository);
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server.close();
  depot.dispose();
});

const PAGES = [
  '/',
  '/search?q=c',
  '/package/zlib',
  '/package/hostile',
  '/package/curl/files',
  '/package/curl/graph',
  '/files?path=usr',
  '/snapshots',
  '/difference?from=1&to=2',
  '/trust',
  '/package/missing',
];
const PHONE = { width: 320, height: 640 };

/** Opens a page, hands it over, and fails on whatever the browser complained about. */
async function visit(
  path: string,
  options: BrowserContextOptions,
  look: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext(options);
  const complaints: string[] = [];
  try {
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('404')) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('dialog', (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url)) complaints.push(`asked ${request.url()}`);
    });
    await page.goto(server.url + path);
    await look(page);
  } finally {
    await context.close();
  }
  expect(complaints).toEqual([]);
}

test.each(PAGES)('%s shuts nobody out', (path) =>
  visit(path, { viewport: PHONE }, async (page) => {
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(PHONE.width);
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<axe.AxeResults>("axe.run({ resultTypes: ['violations'] })");
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of [PHONE.width, 1200]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ ...PHONE, width });
        expect(await page.evaluate<number>(LOWEST_CONTRAST)).toBeGreaterThanOrEqual(4.5);
      }
  }),
);

/** Of all text, in pictures too, against the first background behind it; of what axe leaves out as well. */
const LOWEST_CONTRAST = `(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const part = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    const box = element.closest('.node')?.querySelector('rect');
    if (box && element.tagName === 'text') return parse(getComputedStyle(box).fill);
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  let lowest = 21;
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    if (!own || element.closest('title, script')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [parse(element.tagName === 'text' ? style.fill : style.color), behind(element)].map(light);
    lowest = Math.min(lowest, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return lowest;
})()`;

test('dark pages are dark', () =>
  visit('/', { colorScheme: 'dark' }, async (page) => {
    const colour = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    expect(Math.max(...(colour.match(/\d+/g) ?? ['255']).map(Number))).toBeLessThan(40);
  }));

test('everything is reached by keyboard, and one sees where one is', () =>
  visit('/package/zlib', {}, async (page) => {
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    expect(
      await page.evaluate<number>('document.activeElement.getBoundingClientRect().top'),
    ).toBeGreaterThanOrEqual(0);
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await page.goto(`${server.url}/package/zlib`);
    const stops = await page.evaluate<number>(
      `document.querySelectorAll('a[href]:not([tabindex="-1"]), button, input:not([type=hidden]), select, [tabindex="0"]').length`,
    );
    const seen = new Set<string>();
    for (let stop = 0; stop < stops; stop++) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate<{ where: string; outline: string }>(`(() => {
        const element = document.activeElement;
        element.dataset.stop ??= String(${stop});
        return { where: element.dataset.stop, outline: getComputedStyle(element).outlineStyle };
      })()`);
      expect(at.outline).toBe('solid');
      seen.add(at.where);
    }
    expect(seen.size).toBe(stops);
  }));

test('a slash leads to the search, results come while one types, and the way back is there', () =>
  visit('/package/curl', {}, async (page) => {
    await page.evaluate('window.sameDocument = true');
    await page.keyboard.press('/');
    await page.keyboard.type('compr');
    await page.getByRole('heading', { level: 1, name: 'Packages for “compr”' }).waitFor();
    expect(await page.evaluate('window.sameDocument')).toBe(true);
    expect(new URL(page.url()).searchParams.get('q')).toBe('compr');
    expect(await page.getByRole('status').textContent()).toBe('1 package');
    expect(await page.evaluate('document.activeElement.id')).toBe('q');
    await page.keyboard.type('xyz');
    await page.locator('main').getByText('0 packages').waitFor();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('zli');
    await page.getByRole('heading', { level: 1, name: 'Packages for “zli”' }).waitFor();
    await page.locator('main').getByRole('link', { name: 'zlib', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'zlib', exact: true }).waitFor();
    await page.goBack();
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'curl', exact: true }).waitFor();
  }));

test('the command to install is copied', () =>
  visit('/package/zlib', { permissions: ['clipboard-read', 'clipboard-write'] }, async (page) => {
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('icepkg install zlib');
  }));

test('without scripts all of it works', () =>
  visit('/', { javaScriptEnabled: false }, async (page) => {
    await page.getByLabel('Search packages').fill('cryptography');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'tls', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'tls' }).waitFor();
    await page.getByRole('link', { name: 'A picture of these dependencies' }).click();
    await page.getByRole('region', { name: 'Picture of the dependencies' }).waitFor();
    await page.getByRole('link', { name: 'Files' }).click();
    await page.getByLabel('A path or a part of one').fill('/usr/bin/c');
    await page.keyboard.press('Enter');
    await page.getByRole('cell', { name: '/usr/bin/curl' }).waitFor();
    await page.getByRole('link', { name: 'Snapshots' }).click();
    await page.getByRole('button', { name: 'Show what changed' }).click();
    await page.getByRole('heading', { level: 1, name: 'From snapshot 1 to 2' }).waitFor();
    await page.getByLabel('Channel').selectOption('beta');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByRole('link', { name: 'trial' }).waitFor();
  }));
