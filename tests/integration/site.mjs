// Looks at pages in headless Chromium: axe-core, requests that leave the site, complaints of the browser, overflow.
// node site.mjs NODE_MODULES CHROMIUM BASE FILES JSON PAGE...   (FILES: the same site as files)   prints a JSON list of problems.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, executablePath, base, files, more, ...pages] = process.argv.slice(2);
// Words to type with texts to find, two builds of a lane, two of which the first ran no test, filters of the home page, and a page of logs.
const { searches, builds, untested, filters, log } = JSON.parse(more);
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
        if (javaScriptEnabled && !(await page.locator("body > footer time[data-age] + *").count())) tell("does not say its age");
        if (!javaScriptEnabled) continue; // axe is a script itself; the pages are the same but for the search box
        await page.evaluate(axe);
        const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
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
      if (javaScriptEnabled && width === 1280) {
        for (const [query, ...kept] of filters) {
          await page.goto(`${base}?${query}`);
          const shown = await page.locator("tr[data-author]:visible").evaluateAll((rows) => rows.map((row) => ({ ...row.dataset })));
          if (!shown.length || !shown.every((row) => kept.every(([name, value]) => row[name].split("|").includes(value)))) problems.push(`filter ${query} shows ${JSON.stringify(shown)}`);
          if (!page.url().endsWith(`?${query}`)) problems.push(`filter ${query} changes the address to ${page.url()}`);
        }
        await page.goto(base);
        await page.locator("select[name=state]").selectOption("passing");
        if (await page.locator("tr[data-author]:visible").count()) problems.push("what is broken is shown as passing");
        if (!/state=passing$/.test(page.url())) problems.push(`the address of a filter is ${page.url()}`);
        await page.goto(`${base}search/`);
        for (const [words, expected] of searches) {
          await box.fill(words);
          const found = page.locator("#matches > li", { hasText: expected });
          await found.first().waitFor({ timeout: 10000 }).catch(() => problems.push(`search for ${words} does not find ${expected}`));
        }
        const covered = await page.locator("#covered").textContent();
        if (!/since \d{4}-/.test(covered)) problems.push(`search covers ${covered}`);
        await page.goto(`${base}compare/?a=${builds[0]}&b=${builds[1]}`);
        await page.locator("#comparison table").first().waitFor({ timeout: 10000 }).catch(() => problems.push("two builds are not compared"));
        await page.goto(`${base}compare/?a=${untested[0]}&b=${untested[1]}`);
        await page.locator("#comparison h2", { hasText: "Failing after; no test ran before" }).waitFor({ timeout: 10000 }).catch(() => problems.push("tests are called new that did not run before"));
        await page.goto(`${base}compare/?b=${builds[1]}`);
        await page.locator("#comparison li a").first().click();
        await page.locator("#comparison table").first().waitFor({ timeout: 10000 }).catch(() => problems.push("no build to compare with"));
      }
      await page.goto(`${base}${log}#sbuild-500`);
      const line = page.locator("#sbuild-500");
      if (javaScriptEnabled) {
        await line.waitFor({ timeout: 10000 }).catch(() => problems.push("a line of a log is not opened"));
        const text = await line.textContent();
        if (!/^ok 497 - compiled/.test(text)) problems.push(`line 500 is ${text}`);
        if (!(await line.evaluate((one) => one.matches(":target") && one.getBoundingClientRect().top < innerHeight))) problems.push("line 500 is not in view");
        await page.locator(".gap button").first().click();
        await page.locator("#sbuild-100").waitFor({ timeout: 10000 }).catch(() => problems.push("a button does not open the lines"));
      } else {
        page.removeAllListeners(); // for a text, the browser asks for /favicon.ico
        await page.locator(".gap a").first().click();
        if (!/compiled \w+\/part_450/.test(await page.locator("body").textContent())) problems.push("the text of a log is not shown");
      }
      await context.close();
    }
  }
}
const page = await browser.newPage();
await page.goto(`${files}search/index.html`);
await page.locator("input[type=search]").fill(searches[0][0]);
const row = page.locator("#matches > li", { hasText: searches[0][1] }).first();
await row.waitFor({ timeout: 10000 }).catch(() => problems.push("search does not work from files"));
await browser.close();
console.log(JSON.stringify(problems, null, 1));
