// Opens every page of a folder: node check.mjs BROWSER FOLDER
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { AxeBuilder } from '@axe-core/playwright';

const [executablePath, folder] = process.argv.slice(2);
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath, args });
let faults = 0;
const fault = (text) => { faults += 1; console.error(`fault: ${text}`); };

const pages = readdirSync(folder).filter((name) => name.endsWith('.html'));
for (const name of pages) {
    const url = pathToFileURL(join(folder, name)).href;
    for (const [colorScheme, width] of [['light', 1280], ['dark', 1280], ['light', 375]]) {
        const what = `${name} ${colorScheme} ${width}`;
        // The policy of the page forbids scripts; axe is one.
        const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
        const page = await context.newPage();
        page.on('request', (request) => { if (request.url() !== url) fault(`${what}: loads ${request.url()}`); });
        page.on('dialog', (dialog) => { fault(`${what}: a dialog`); dialog.dismiss(); });
        await page.goto(url);
        for (const violation of (await new AxeBuilder({ page }).analyze()).violations) {
            fault(`${what}: axe ${violation.id}: ${violation.help}: ${violation.nodes[0].html.slice(0, 200)}`);
        }
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (wide > 0) fault(`${what}: ${wide} pixels wider than the window`);
        const png = join(folder, name.replace('.html', `.${colorScheme}.${width}.png`));
        await page.screenshot({ path: png, fullPage: name !== 'large.html' });
        await context.close();
    }
    // As a reader has it: with the policy, and nothing may run against it.
    const page = await browser.newPage();
    page.on('console', (message) => fault(`${name}: ${message.text()}`));
    await page.goto(url);
    await page.emulateMedia({ media: 'print' });
    const hidden = await page.evaluate(() => [...document.querySelectorAll('details')]
        .filter((details) => details.lastElementChild.getBoundingClientRect().height === 0).length);
    if (hidden > 0) fault(`${name}: ${hidden} items are folded on paper`);
    await page.pdf({ path: join(folder, name.replace('.html', '.pdf')) });
    await page.close();
}
await browser.close();
if (faults > 0) process.exit(1);
console.log(`ok: ${pages.length} pages, light, dark, narrow and on paper, axe finds nothing`);
