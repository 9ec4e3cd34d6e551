// Looks at pages in headless Chromium: axe-core, requests that leave the site, complaints of the browser, overflow.
// node site.mjs NODE_MODULES CHROMIUM BASE PAGE...   prints a JSON list of problems.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, executablePath, base, ...pages] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const axe = readFileSync(`${modules}/axe-core/axe.min.js`, "utf8");
const problems = [];
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath, args });
for (const width of [1280, 390]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const javaScriptEnabled of [true, false]) {
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, javaScriptEnabled });
      const page = await context.newPage();
      for (const path of pages) {
        const tell = (what) => problems.push(`${path || "home"} at ${width}, ${colorScheme}, scripts ${javaScriptEnabled}: ${what}`);
        page.removeAllListeners();
        page.on("request", (request) => request.url().startsWith(base) || tell(`asks for ${request.url()}`));
        page.on("console", (message) => tell(`console: ${message.text()}`));
        page.on("pageerror", (error) => tell(`error: ${error.message}`));
        const answer = await page.goto(base + path);
        if (answer.status() !== 200) tell(`status ${answer.status()}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) tell(`is ${wide} pixels too wide`);
        if (!javaScriptEnabled) continue; // axe is a script itself; the pages are the same but for the search box
        await page.evaluate(axe);
        const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
        const { violations } = await page.evaluate((values) => axe.run(document, { runOnly: { type: "tag", values } }), tags);
        for (const { id, nodes } of violations) tell(`axe: ${id}: ${nodes[0].html.slice(0, 200)} (${nodes.length})`);
      }
      await page.goto(`${base}search/`);
      const box = page.locator("input[type=search]");
      if ((await box.isVisible()) !== javaScriptEnabled) problems.push(`the search box is there: ${!javaScriptEnabled}`);
      if (javaScriptEnabled) {
        await box.fill("nova trixie");
        const shown = await page.locator("[data-find] > li:visible").allTextContents();
        if (!shown.length || !shown.every((text) => /nova/.test(text) && /trixie/.test(text))) problems.push(`search finds ${shown}`);
      }
      await context.close();
    }
  }
}
await browser.close();
console.log(JSON.stringify(problems, null, 1));
