// Frames a second while a pointer moves over a heatmap of ten thousand GPUs.

const CELLS = 10_000;
const GROUPS = 40;
/** Sixty a second are 16.7 ms each; the clock of a headless browser is not exact. */
const FRAME_MS = 17.5;
/** What is asked of a machine that is busy with an unoptimized server beside. */
const PATIENT_FRAME_MS = 35;

/** The page's own heatmap block with other cells: values that wander, some unknown. */
function large(map) {
  const each = CELLS / GROUPS;
  const group = (g) => {
    const list = (make) => Array.from({ length: each }, (_, i) => make(g * each + i));
    return {
      ...map.groups[0],
      title: `node ${g}`,
      ids: list((n) => `gpu:GPU-${n}`),
      names: list((n) => `GPU ${n}`),
      values: list((n) => (n % 97 ? (Math.sin(n / 7) + 1) / 2 : null)),
      statuses: list((n) => (n % 501 ? "ok" : "broken")),
      outliers: list((n) => n % 211 === 0),
    };
  };
  return { ...map, min: 0, max: 1, groups: Array.from({ length: GROUPS }, (_, g) => group(g)) };
}

export async function checkHeatmap(tab, base, ok, patient) {
  const page = await tab();
  const told = await (await page.request.get(`${base}/api/v1/pages/gpus`)).json();
  const blocks = told.sections.flatMap((part) => part.blocks);
  const found = blocks.find((block) => block.type === "heatmap");
  if (!found || !found.groups.length) {
    ok(false, "the GPU page has a heatmap with GPUs in it");
    return;
  }
  Object.assign(found, large(found));
  await page.route("**/api/v1/pages/gpus?*", (route) => route.fulfill({ json: told }));
  await page.route("**/api/v1/pages/gpus/live*", (route) => route.abort());
  await page.goto(`${base}/gpus`);
  const canvas = page.locator(".cells canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  const frames = page.evaluate(() => new Promise((done) => {
    const gaps = [];
    let last = performance.now();
    const end = last + 2000;
    const frame = (now) => {
      gaps.push(now - last);
      last = now;
      if (now < end) requestAnimationFrame(frame); else done(gaps.slice(2).sort((a, b) => a - b));
    };
    requestAnimationFrame(frame);
  }));
  for (let step = 0; step < 60; step += 1) {
    await page.mouse.move(box.x + 10 + (step * 37) % (box.width - 20), Math.max(box.y, 0) + 60 + (step * 13) % 500);
    await page.waitForTimeout(20);
  }
  await page.mouse.move(box.x + 30, box.y + 30);
  const gaps = await frames;
  const median = gaps[Math.floor(gaps.length / 2)];
  ok(median <= (patient ? PATIENT_FRAME_MS : FRAME_MS), `${CELLS} heatmap cells at ${(1000 / median).toFixed(0)} frames a second`, `${median.toFixed(1)} ms`);
  ok(await page.locator(".tip").count() === 1, "a hovered cell says what it is");
  await page.locator(".cells").focus();
  const said = () => page.locator(".cells [aria-live=polite]").textContent();
  const press = async (keys) => { for (const key of keys) await page.keyboard.press(key); await page.waitForTimeout(100); };
  await press(["Home", "ArrowRight"]);
  const second = await said();
  await press(["ArrowDown"]);
  const below = await said();
  await press(["ArrowUp"]);
  ok(/^GPU 1 /.test(second) && !/^GPU 1 /.test(below) && await said() === second, "arrow keys go over the cells and say them", `${second}, ${below}`);
  await press(["End", "Enter"]);
  ok(page.url().includes("GPU-9999"), "Enter opens the cell", page.url());
  await page.context().close();
}
