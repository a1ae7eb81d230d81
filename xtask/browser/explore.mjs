// Explore as a person uses it: a language is chosen, a word completed, a question asked and answered,
// a question that is not allowed refused in words.

/** Open Explore and ask in SQL and in PromQL. */
export async function checkExplore(tab, base, ok, shots) {
  const page = await tab();
  const box = page.locator(".explore textarea");
  const ask = async (text) => {
    await box.fill(text);
    await box.press("Control+Enter");
  };
  await page.goto(`${base}/explore`);
  await page.waitForSelector(".explore textarea", { timeout: 20000 });
  await page.locator(".explore .chips a", { hasText: /^SQL$/ }).click();
  const chosen = page.waitForFunction(() => document.querySelector(".explore [aria-current]")?.textContent === "SQL");
  ok(await chosen.then(() => true, () => false) && page.url().includes("lang=sql"), "SQL is chosen on Explore, and in the address", page.url());
  await box.click();
  await page.keyboard.type("SELEC");
  await page.waitForSelector(".hints [role=option]", { timeout: 3000 }).catch(() => null);
  await page.keyboard.press("Tab");
  ok(await box.inputValue() === "SELECT", "Tab completes a word of SQL", await box.inputValue());
  await ask("SELECT count(*) AS calls, 6 * 7 AS answer FROM request");
  const table = page.locator("table", { hasText: "calls" });
  const answered = await table.first().waitFor({ timeout: 10000 }).then(() => true, () => false);
  const cells = answered ? await table.first().innerText() : await page.innerText("main");
  ok(answered && /answer/.test(cells) && /\b42\b/.test(cells), "a question in SQL is answered in a table", cells.slice(0, 200));
  if (shots) await page.screenshot({ path: `${shots}/explore-sql.png` });
  await ask("DELETE FROM request");
  const said = page.locator(".explore [role=alert]");
  const refused = await said.first().waitFor({ timeout: 10000 }).then(() => said.first().innerText(), () => "");
  ok(refused.length > 10, "SQL that would write is refused in words", refused);
  ok((await box.inputValue()) === "DELETE FROM request", "what was asked stays in the box", await box.inputValue());
  await page.goto(`${base}/explore?query=${encodeURIComponent("sum(rate(inference_generation_tokens_total[5m]))")}`);
  const drawn = await page.waitForSelector(".u-wrap canvas, .chart canvas", { timeout: 10000 }).then(() => true, () => false);
  ok(drawn, "a question in PromQL is answered in a chart");
  ok(page.wrong.length === 0, "Explore stays silent", page.wrong.join(" | "));
  await page.context().close();
}
