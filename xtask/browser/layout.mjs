// What the plumb line prints, what comes on paper, and numbers and tabs at the widths of windows.

const shown = (page) => page.waitForSelector("main.sections", { timeout: 20000 });

/** What the plumb line says is what the server told for that minute, not the last value. */
async function minutes(tab, base, ok) {
  const end = Math.floor(Date.now() / 60000) * 60000 - 60000;
  const held = `start=${end - 1800000}&end=${end}`;
  const page = await tab();
  await page.goto(`${base}/overview?${held}`);
  await shown(page);
  const told = await (await page.request.get(`${base}/api/v1/pages/overview?${held}`)).json();
  const { strata } = told.sections.flatMap((part) => part.blocks).find((block) => block.strata);
  const box = await page.locator("canvas.strip").first().boundingBox();
  await page.mouse.move(box.x + box.width / 4, box.y + box.height / 2);
  await page.waitForSelector(".plumb");
  const texts = await page.locator(".layer .cap b").allTextContents();
  const { count } = strata[0].strip.axis;
  const at = Math.round((count - 1) / 4);
  const written = (value, scale) => (value === null ? "unknown" : `${(value / scale.divisor).toFixed(scale.digits)} ${scale.symbol}`.trim());
  strata.forEach(({ code, strip }, i) => {
    // The pointer may stand on the edge of a minute.
    const wanted = [at - 1, at, at + 1].filter((n) => n >= 0 && n < count).map((n) => written(strip.values[n], strip.scale));
    const silent = strip.missing && strip.values.every((value) => value === null);
    ok(silent || wanted.includes(texts[i]), `${code} prints the hovered minute`, `${texts[i]}, not ${wanted.join(" or ")}`);
  });
  await page.mouse.move(5, 5);
  await page.locator(".strata").focus();
  await page.keyboard.press("ArrowLeft");
  const said = await page.locator(".strata [aria-live=polite]").textContent();
  ok(/^(\d\d-\d\d )?\d\d:\d\d: L8 .*L1 /.test(said), "the arrow keys say the minute and its values", said);
  await page.goto(`${base}/gpus?${held}`);
  await shown(page);
  const plot = await page.locator(".u-over").first().boundingBox();
  await page.mouse.move(plot.x + plot.width / 2, plot.y + plot.height / 2);
  await page.waitForTimeout(300);
  const when = await page.locator(".legend .when").allTextContents();
  ok(when.length > 1 && when.every((text) => text === when[0] && /\d\d:\d\d$/.test(text)), "hovering a chart moves every legend to that minute", when.join(", "));
  ok(page.wrong.length === 0, "hovering stays silent", page.wrong.join(" | "));
  await page.context().close();
}

/** Paper is light and has the commands, though the screen is dark. */
async function paper(tab, base, ok) {
  const page = await tab({ colorScheme: "dark" });
  await page.goto(`${base}/doctor`);
  await shown(page);
  const names = ["--panel", "--dim", "--line", "--ok", "--watch", "--broken", "--blind", "--gold", "--curve", "--hatch", ...Array.from({ length: 8 }, (_, i) => `--s${i}`)];
  const colors = () => page.evaluate((all) => all.map((name) => `${name} ${getComputedStyle(document.documentElement).getPropertyValue(name).trim()}`), names);
  const light = (on) => page.evaluate((to) => { document.documentElement.classList.toggle("light", to); }, on);
  const dark = await colors();
  await light(true);
  const wanted = await colors();
  await light(false);
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  const printed = await colors();
  const wrong = printed.filter((color, i) => color !== wanted[i]);
  ok(wrong.length === 0 && dark.every((color, i) => color !== wanted[i]), "a dark screen prints in light colors", wrong.join(", "));
  const commands = page.locator(".copy");
  ok(await commands.count() > 0 && await commands.first().isVisible(), "commands are printed");
  await page.emulateMedia({ media: "screen", colorScheme: "dark" });
  await page.evaluate(() => {
    globalThis.painted = [];
    addEventListener("strata-theme", () => globalThis.painted.push(document.documentElement.classList.contains("light")));
  });
  await page.pdf();
  const painted = await page.evaluate(() => globalThis.painted);
  ok(painted.join() === "true,false", "canvases are painted light for paper, then dark again", painted.join());
  await page.context().close();
}

/** Numbers stay within their cells and the tabs within two rows, from a small window to a large one. */
async function widths(tab, base, ok) {
  const page = await tab();
  for (const name of ["overview", "gpus", "cost"]) {
    await page.goto(`${base}/${name}`);
    await shown(page);
    for (const width of [800, 1100, 1200, 1280, 1366, 1500]) {
      await page.setViewportSize({ width, height: 900 });
      const wide = await page.evaluate(() => [...document.querySelectorAll(".num b")]
        .filter((number) => number.clientWidth && number.scrollWidth > number.clientWidth + 1)
        .map((number) => number.textContent));
      ok(wide.length === 0, `${name} at ${width} pixels: every number is within its cell`, wide.slice(0, 5).join(", "));
      const tabs = await page.locator(".bar nav").boundingBox();
      ok(tabs && tabs.height < 70, `${name} at ${width} pixels: the tabs are rows`, `${tabs?.height} pixels tall`);
    }
  }
  await page.context().close();
}

export async function checkLayout(tab, base, ok) {
  await minutes(tab, base, ok);
  await paper(tab, base, ok);
  await widths(tab, base, ok);
}
