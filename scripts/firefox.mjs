// Three journeys in Firefox over WebDriver BiDi, told by scripts/firefox.py: node firefox.mjs PLAN.json
// A line of JSON comes for each: { journey, seen, seconds, trouble }.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const puppeteer = createRequire(`${plan.modules}/`)("puppeteer-core");
const PATIENCE = { timeout: 300_000 }; // ms; a busy machine is slow, not wrong

/** Run in the page until it returns something true, and return that. */
const until = async (page, fn, ...args) => (await page.waitForFunction(fn, PATIENCE, ...args)).jsonValue();
const textOf = (selector) => document.querySelector(selector)?.textContent.trim() || "";

/** Take the handle of a range, and move it to a share of its length. */
async function drag(page, selector, share) {
  const slider = await page.waitForSelector(selector, PATIENCE);
  await slider.evaluate((el) => el.scrollIntoView({ block: "center" }));
  const [box, at] = [
    await slider.boundingBox(),
    await slider.evaluate((el) => (Number(el.value) - Number(el.min)) / (Number(el.max) - Number(el.min))),
  ];
  const place = (part) => box.x + 8 + part * (box.width - 16); // the handle is 16 px wide
  const y = box.y + box.height / 2;
  await page.mouse.move(place(at), y);
  await page.mouse.down();
  await page.mouse.move(place(share), y, { steps: 10 });
  await page.mouse.up();
}

const SLIDER = ".saew-clamp input[type=range]";
const CLAMPED = ".saew-clamp .saew-pane-clamped .saew-text";

/** Both texts are written; after the slider is moved the clamped one says that it is the bridge. */
async function clampedText(page) {
  await until(page, (at) => document.querySelector(at)?.textContent.trim(), CLAMPED);
  await page.waitForSelector(".saew-clamp .saew-status[data-status=idle]", PATIENCE);
  const own = await page.evaluate(textOf, CLAMPED);
  await drag(page, SLIDER, plan.share);
  await until(page, ([at, own]) => {
    const now = document.querySelector(at)?.textContent.trim() || "";
    return now !== own && /bridge/i.test(now);
  }, [CLAMPED, own]);
  await page.waitForSelector(".saew-clamp .saew-status[data-status=idle]", PATIENCE);
  return `"${own.slice(0, 60)}" became "${(await page.evaluate(textOf, CLAMPED)).slice(0, 60)}"`;
}

const journeys = {
  "clamp, in JupyterLab with its kernel": async (page) => {
    await page.goto(plan.notebook, PATIENCE);
    await page.waitForSelector(".jp-NotebookPanel .jp-Cell", PATIENCE);
    await page.evaluate(async () => {
      const panel = globalThis.jupyterapp.shell.currentWidget;
      await panel.context.ready;
      await panel.sessionContext.ready;
      await panel.sessionContext.session.kernel.info;
      globalThis.jupyterapp.commands.execute("notebook:run-all-cells");
    });
    return clampedText(page);
  },
  "dashboard, a page": async (page) => {
    await page.goto(plan.dashboard, PATIENCE);
    await page.waitForSelector(".saew-dashboard h2", PATIENCE);
    const heading = () => page.$eval(".saew-dashboard h2", (h2) => h2.innerText.trim().replace(/\s+/g, " "));
    const first = await heading();
    await page.click(".saew-dashboard button[aria-label='Next feature']");
    await until(page, (own) => document.querySelector(".saew-dashboard h2").textContent.trim() !== own, first);
    const second = await heading();
    const search = await page.$(".saew-dashboard input[type=search]");
    await search.type("owl");
    await until(page, () => document.querySelector(".saew-dashboard mark, .saew-dashboard .saew-found"));
    return `${first}, then ${second}; "owl" is found in its examples; the address is ${new URL(page.url()).hash}`;
  },
  "live page, from a file": async (page) => {
    await page.goto(plan.live, PATIENCE);
    return clampedText(page);
  },
};

const browser = await puppeteer.launch({ browser: "firefox", executablePath: plan.firefox, headless: true, protocolTimeout: 600_000 });
console.log(JSON.stringify({ version: await browser.version() }));
let failed = 0;
for (const [journey, walk] of Object.entries(journeys)) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 1000 });
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(String(error.message ?? error)));
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  page.on("request", (request) => /^(https?|wss?):\/\/(?!127\.0\.0\.1)/.test(request.url()) && trouble.push(request.url()));
  const began = performance.now();
  let seen = "";
  try {
    seen = await walk(page);
  } catch (error) {
    failed += 1;
    trouble.push(`AMISS: ${error.message}`);
  }
  const picture = `${plan.pictures}/${journey.split(",")[0].replace(" ", "-")}.png`;
  try {
    await page.screenshot({ path: picture });
  } catch (error) {
    trouble.push(`no picture: ${error.message}`);
  }
  console.log(JSON.stringify({ journey, seen, seconds: (performance.now() - began) / 1000, trouble }));
  await page.close();
}
await browser.close();
process.exit(failed ? 1 : 0);
