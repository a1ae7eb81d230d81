// Looks at every page in a real Chromium as a person would: what is shown, keys, broken links, a
// server that goes away, accessibility, speed. Prints one line a check; exits 1 when one failed.
//
// node check.mjs FIRST_PAGE_MS CHROMIUM BASE_URL [SCREENSHOT_FOLDER]

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { chromium } from "playwright-core";
import { checkExplore } from "./explore.mjs";
import { checkHeatmap } from "./heatmap.mjs";
import { checkLayout } from "./layout.mjs";

const [patience, executablePath, base, shots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGES = ["overview", "gpus", "communication", "hosts", "scheduling", "training", "engines", "requests", "cost",
  "doctor", "explore", "topology"];
const VERDICTS = { ok: "OK", watch: "WATCH", broken: "BROKEN", blind: "BLIND", absent: "ABSENT" };
const FIRST_PAGE_MS = Number(patience);

let failed = 0;
const say = (text) => process.stdout.write(`${text}\n`);
const ok = (good, what, why = "") => {
  if (!good) failed += 1;
  say(`${good ? "ok    " : "FAILED"} ${what}${good || !why ? "" : `: ${why}`}`);
};

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"],
});

/** A new tab that notes what goes wrong in it. */
async function tab(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  page.wrong = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && page.wrong.push(message.text()));
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:"].includes(url.protocol) && url.origin !== new URL(base).origin) page.wrong.push(`asks ${url.origin}`);
  });
  return page;
}

const shown = (page) => page.waitForSelector("main.sections", { timeout: 20000 });

async function everyPage(colorScheme) {
  for (const name of PAGES) {
    const page = await tab({ colorScheme });
    await page.goto(`${base}/${name}`);
    await shown(page);
    await page.waitForTimeout(300);
    const { simulated, title } = await (await page.request.get(`${base}/api/v1/pages/${name}`)).json();
    const heading = await page.textContent("h1");
    ok(heading.startsWith(title), `${name} (${colorScheme}) has its heading`, heading);
    const note = await page.locator(".simulated").count();
    ok(note === (simulated ? 1 : 0), `${name} says whether it is simulated`);
    ok(page.wrong.length === 0, `${name} (${colorScheme}) without a message or a request elsewhere`, page.wrong.join(" | "));
    await page.addScriptTag({ content: axe }).catch(() => null);
    // The page's own policy forbids scripts from elsewhere, so the checker comes in by evaluation.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    const serious = violations.filter((one) => ["serious", "critical"].includes(one.impact));
    const words = serious.map((one) => `${one.id}: ${one.nodes.slice(0, 5).map((node) => `${node.target.join(" ")} (${node.any[0]?.message ?? ""})`).join("; ")}`);
    ok(serious.length === 0, `${name} (${colorScheme}) is accessible`, words.join(" | "));
    if (shots) await page.screenshot({ path: `${shots}/${name}-${colorScheme}.png` });
    await page.context().close();
  }
}

async function overview() {
  const page = await tab();
  const begun = Date.now();
  await page.goto(`${base}/`);
  await page.waitForSelector(".layer", { timeout: 20000 });
  const took = Date.now() - begun;
  ok(took < FIRST_PAGE_MS, `the first page is there after ${took} ms (at most ${FIRST_PAGE_MS})`);
  const told = await (await page.request.get(`${base}/api/v1/pages/overview`)).json();
  const strata = told.sections.flatMap((part) => part.blocks).find((block) => block.strata).strata;
  const layers = await page.locator(".layer").all();
  ok(layers.length === 8, "eight layers", `${layers.length}`);
  for (const [at, layer] of layers.entries()) {
    const text = await layer.textContent();
    const { code, verdict } = strata[at];
    ok(text.includes(code) && text.includes(VERDICTS[verdict]), `${code} says ${VERDICTS[verdict]}`, text.slice(0, 120));
  }
  await page.locator("canvas.strip").first().hover();
  const line = page.locator(".plumb");
  const [tall, all] = await Promise.all([line.boundingBox(), page.locator(".strata").boundingBox()]);
  ok(tall && tall.height > all.height * 0.9, "hovering moves one plumb line through all layers");
  await page.locator(".strata").focus();
  await page.mouse.move(5, 5);
  await page.keyboard.press("ArrowLeft");
  ok(await line.count() === 1, "the arrow keys move the plumb line");
  ok(page.wrong.length === 0, "the overview stays silent", page.wrong.join(" | "));
  await page.context().close();
}

async function keyboard() {
  const page = await tab();
  await page.goto(`${base}/overview`);
  await shown(page);
  for (const [key, name] of [["1", "gpus"], ["3", "hosts"], ["6", "engines"], ["d", "doctor"], ["0", "overview"]]) {
    await page.keyboard.press(key);
    const there = page.waitForFunction((path) => location.pathname === path, `/${name}`, { timeout: 5000 });
    ok(await there.then(() => true, () => false), `key ${key} opens ${name}`, page.url());
  }
  await page.keyboard.press("?");
  ok(await page.locator("[role=dialog]").count() === 1, "? lists the keys");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  ok(await page.locator(".palette input").count() === 1, "Ctrl-K opens the palette");
  await page.keyboard.type("host");
  await page.waitForTimeout(600);
  await page.keyboard.press("Enter");
  await page.waitForTimeout(400);
  ok(await page.locator(".palette").count() === 0 && page.url().includes("/hosts"), "the palette goes there", page.url());
  await page.goto(`${base}/overview`);
  await shown(page);
  const number = page.locator(".layer .three button, .layer .three [tabindex]").first();
  await number.focus();
  await page.keyboard.press("Enter");
  const how = await page.locator("[role=dialog]").textContent({ timeout: 3000 }).catch(() => "");
  ok(/formula/.test(how) && /means/.test(how), "Enter on a number opens how it is computed", how.slice(0, 80));
  await page.keyboard.press("Escape");
  ok(await page.locator("[role=dialog]").count() === 0, "Escape closes it");
  await page.context().close();
}

async function addresses() {
  const page = await tab();
  await page.goto(`${base}/hosts`);
  await shown(page);
  await page.getByRole("button", { name: "6 h" }).click();
  ok(page.url().includes("since=6h"), "the range is in the address", page.url());
  await page.getByTitle("live (l)").click();
  ok(/start=\d+&end=\d+/.test(page.url()), "holding still puts both ends in the address", page.url());
  const held = page.url();
  await shown(page);
  await page.waitForFunction(() => document.querySelector("h1 small")?.textContent.includes("held"), null, { timeout: 5000 });
  const first = await page.textContent("h1 small");
  const again = await tab();
  await again.goto(held);
  await shown(again);
  ok(await again.textContent("h1 small") === first, "a link reproduces the view");
  for (const [address, wanted] of [
    ["/hosts?since=soon", /since/], ["/nowhere", /page/], ["/hosts?entity=node:never-seen", /not seen/],
    ["/gpus?colour=x", /unknown parameter/], ["/hosts?start=5&end=1", /start|end|range/],
  ]) {
    const broken = await tab();
    await broken.goto(base + address);
    const told = await broken.locator("[role=alert]").first().textContent({ timeout: 8000 }).catch(() => "");
    ok(wanted.test(told), `${address} gets a clear message`, told.slice(0, 120));
    await broken.context().close();
  }
  const halved = await tab();
  await halved.goto(`${base}/hosts?start=1795825000000`);
  await halved.locator("[role=alert]").first().waitFor({ timeout: 8000 });
  await halved.getByTitle("live (l)").click();
  const live = await shown(halved).then(() => true, () => false);
  ok(live && halved.url().includes("since=1h"), "going live from an address without an end shows the page", halved.url());
  await halved.context().close();
  await page.context().close();
  await again.context().close();
}

async function goneAndBack() {
  // Between the page and the server, so that a stream can break in its middle.
  const open = new Set();
  let gone = false;
  const server = new URL(base);
  const between = net.createServer((near) => {
    if (gone) { near.destroy(); return; }
    const far = net.connect(Number(server.port), server.hostname);
    for (const [from, to] of [[near, far], [far, near]]) {
      open.add(from);
      from.on("error", () => to.destroy()).on("close", () => { open.delete(from); to.destroy(); }).pipe(to);
    }
  });
  await new Promise((done) => between.listen(0, "127.0.0.1", done));
  const page = await tab();
  await page.goto(`http://127.0.0.1:${between.address().port}/overview`);
  await shown(page);
  await page.waitForTimeout(1000);
  gone = true;
  open.forEach((socket) => socket.destroy());
  const lost = await page.waitForSelector(".lost", { timeout: 20000 }).then(() => true, () => false);
  ok(lost, "a server that goes away is told");
  ok(await page.locator(".layer").count() === 8, "what was there stays");
  gone = false;
  const back = await page.waitForSelector(".lost", { state: "detached", timeout: 20000 }).then(() => true, () => false);
  ok(back, "the page recovers without loading anew");
  await page.context().close();
  between.close();
}

await overview();
await everyPage("dark");
await everyPage("light");
await checkLayout(tab, base, ok);
await keyboard();
await addresses();
await goneAndBack();
await checkExplore(tab, base, ok, shots);
await checkHeatmap(tab, base, ok, FIRST_PAGE_MS > 1000);
await browser.close();
say(failed ? `${failed} checks failed` : "all checks passed");
process.exit(failed ? 1 : 0);
