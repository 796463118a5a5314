// The page at `/` in Chromium: `node page.cjs CHROMIUM TRIAL`, with the program's path in BRIDGE and the folder of recordings in
// BRIDGE_TESTDATA. Needs npm `playwright-core`.
"use strict";

const assert = require("node:assert/strict");
const http = require("node:http");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { browse, freePort, logs, serve, until } = require("./served.cjs");

const recording = path.join(process.env.BRIDGE_TESTDATA, "drive.mcap");
const [chromium, trial] = process.argv.slice(2);

const textOf = (page, id) => page.locator(`#${id}`).textContent();
const topicRow = (page, topic) => page.locator("#rows .row", { has: page.locator(`button[title="${topic}"]`) });
const openTopic = (page, topic) => page.locator(`#rows button[title="${topic}"]`).click();
const seconds = (clock) => clock.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
const state = async (server) => (await server.get("/api/playback")).state;
/** What of a canvas is drawn, by sums of opacity in `parts` columns. */
const ink = (canvas, parts = 1) =>
  canvas.evaluate((element, parts) => {
    const { data } = element.getContext("2d").getImageData(0, 0, element.width, element.height);
    const sums = Array(parts).fill(0);
    for (let at = 3; at < data.length; at += 4) sums[Math.floor(((((at - 3) / 4) % element.width) * parts) / element.width)] += data[at];
    return sums;
  }, parts);

const TRIALS = {
  async loads({ open }) {
    const server = await serve([recording, "--start-paused"]);
    const answer = await fetch(server.url, { headers: { Accept: "text/html" } });
    assert.match(answer.headers.get("content-security-policy"), /^default-src 'self';/);
    assert.match(await (await fetch(server.url)).text(), new RegExp(`ws://localhost:${server.port}`));
    const page = await open(server.url);
    await until(async () => (await page.locator("#rows .row").count()) === 12, "the topics are there");
    assert.equal(await textOf(page, "name"), "drive.mcap");
    assert.equal(await textOf(page, "contents"), "6.0 s · 12 channels · 867 messages");
    assert.match(await textOf(page, "version"), /^foxglove-bridge \d/);
    const link = await page.locator("#foxglove").getAttribute("href");
    assert.equal(new URL(link).searchParams.get("ds.url"), `ws://localhost:${server.port}`);
    assert.match(await page.locator("#desktop").getAttribute("href"), /^foxglove:\/\/open\?ds=foxglove-websocket/);
    // the QR code needs an address that others reach; this server listens on this computer alone
    await page.locator("#show-more").click();
    assert.match(await textOf(page, "phone-note"), /--host 0\.0\.0\.0/);
  },

  async plays({ open }) {
    // slow enough for it not to be at the end already
    const server = await serve([recording, "--start-paused", "--rate", "0.25"]);
    const page = await open(server.url);
    await page.locator("#play").click();
    await until(async () => (await state(server)) === "playing", "it plays");
    await until(async () => (await textOf(page, "position")) > "0:00.100", "the page shows it");
    await page.locator("#play[title^=Pause]").click();
    await until(async () => (await state(server)) === "paused", "it pauses");
    const before = await server.get("/api/playback");
    // the first step may be to a message of this very time
    await until(async () => {
      await page.locator("#step").click();
      return BigInt((await server.get("/api/playback")).position_ns) > BigInt(before.position_ns);
    }, "it steps");
    await page.locator("#loop").click();
    await until(async () => (await server.get("/api/playback")).loop, "it loops");
    await page.locator("#rate").selectOption("2");
    await until(async () => (await server.get("/api/playback")).rate === 2, "it is faster");
    await server.post("/api/playback", { seek: "+1s" });
    await until(async () => (await textOf(page, "position")).startsWith("0:01.0"), "A is reached");
    await page.locator("#range").click();
    await server.post("/api/playback", { seek: "+4s" });
    await until(async () => (await textOf(page, "position")).startsWith("0:04.0"), "B is reached");
    await page.locator("#range").click();
    const { range } = await until(async () => {
      const playback = await server.get("/api/playback");
      return playback.range && playback;
    }, "a part is repeated");
    assert.deepEqual([Math.round(range.start_s), Math.round(range.end_s)], [1, 4]);
    await page.locator("#range[aria-pressed=true]").click();
    await until(async () => !(await server.get("/api/playback")).range, "all is played again");
  },

  async drags({ open }) {
    const server = await serve([recording, "--start-paused"]);
    const page = await open(server.url);
    await page.locator("#ruler.seekable").waitFor();
    // a network on which the first request takes as long as the drag
    await page.evaluate(() => {
      const [ask, drag] = [fetch, { asked: 0 }];
      window.drag = drag;
      drag.over = new Promise((resolve) => (drag.end = resolve));
      window.fetch = async (path, options) => {
        if (options?.method === "POST") {
          drag.asked += 1;
          await drag.over;
        }
        return ask(path, options);
      };
    });
    const { x, y, width, height } = await page.locator("#ruler").boundingBox();
    const at = (share) => [x + share * width, y + height / 2];
    await page.mouse.move(...at(0.1));
    await page.mouse.down();
    await page.mouse.move(...at(0.75), { steps: 60 });
    await page.mouse.up();
    await until(() => page.evaluate(() => window.drag.asked), "the first request");
    assert.equal(await page.evaluate(() => window.drag.asked), 1, "one request is on its way");
    await page.evaluate(() => window.drag.end());
    await until(async () => Math.abs((await server.get("/api/playback")).position_s - 4.5) < 0.05, "the newest seek wins");
    assert.equal(await page.evaluate(() => window.drag.asked), 2, "those between are not asked for");
    await page.mouse.move(...at(0.5));
    await until(async () => /^0:0[23]\.\d{3} · \d\d:\d\d:\d\d/.test(await textOf(page, "hover-text")), "the time under the pointer");
    await page.keyboard.down("Shift");
    await page.mouse.move(...at(0.25));
    await page.mouse.down();
    await page.mouse.move(...at(0.5), { steps: 5 });
    await page.mouse.up();
    const range = await until(async () => (await server.get("/api/playback")).range, "Shift chooses a part");
    assert.ok(Math.abs(range.start_s - 1.5) < 0.05 && Math.abs(range.end_s - 3) < 0.05, JSON.stringify(range));
    // a seek out of it is held to it, and the page shows where
    await page.keyboard.up("Shift");
    await page.mouse.click(...at(0.9));
    await until(async () => /held/.test(await textOf(page, "said")), "the page says that the seek was held");
    const { position_s: held } = await server.get("/api/playback");
    assert.ok(held <= range.end_s + 0.001, `${held}`);
    await until(async () => Math.abs(seconds(await textOf(page, "position")) - held) < 0.002, "the page shows where it is");
  },

  async density({ open }) {
    const server = await serve([recording, "--start-paused"]);
    const page = await open(server.url);
    const timeline = await server.get("/api/timeline?bins=100");
    await until(async () => (await textOf(page, "lane-label")) === "Messages over time", "the timeline is there");
    let empty = 0;
    for (const { topic, counts } of timeline.topics) {
      const canvas = topicRow(page, topic).locator("canvas");
      await until(async () => (await ink(canvas))[0] > 0, `${topic} is drawn`);
      const whole = await ink(canvas, 10);
      // without the line that goes through all
      const drawn = whole.map((sum) => sum - Math.min(...whole));
      drawn.forEach((sum, part) => {
        if (counts.slice(Math.max(0, part * 10 - 1), part * 10 + 11).some(Boolean)) return;
        empty += 1;
        assert.ok(sum < Math.max(...drawn) / 2, `${topic}: nothing is drawn where nothing is, ${drawn}`);
      });
    }
    assert.ok(empty > 3, `${empty} empty parts`);
    assert.ok((await ink(page.locator("#overview")))[0] > 10_000);
  },

  async message({ open }) {
    const server = await serve([recording, "--start-paused", "--rate", "0.25"]);
    await server.post("/api/playback", { seek: "+1s" });
    const page = await open(server.url);
    await openTopic(page, "/vehicle/state");
    const key = (name) => page.locator("#tree .leaf", { has: page.locator(`span:text-is("${name}")`) });
    const { json } = await server.get("/api/topics/%2Fvehicle%2Fstate/latest?short");
    const [name] = Object.entries(json).find(([, value]) => typeof value === "number");
    await until(async () => (await key(name).locator(".value").textContent()) === String(json[name]), "the message is shown");
    await key(name).locator("button").click();
    await server.post("/api/playback", { command: "play" });
    await until(async () => (await page.locator(".pin b").textContent()) !== "", "a number is plotted");
    await until(async () => (await ink(page.locator(".pin canvas")))[0] > 2000, "with a line");
    assert.equal(new URL(page.url()).hash, "#%2Fvehicle%2Fstate");
    // open nodes stay open while newer messages come
    await openTopic(page, "/tf");
    const node = page.locator("#tree summary").nth(1);
    await node.click();
    await until(() => page.locator("#tree details details[open] > div > *").count(), "a node opens");
    const facts = await textOf(page, "facts");
    await server.post("/api/playback", { seek: "+2s" });
    await until(async () => (await textOf(page, "facts")) !== facts, "a newer message is shown");
    assert.ok(await page.locator("#tree details details[open]").count());
    // a vector is seen at once
    await openTopic(page, "/localization/pose");
    await page.locator("#tree summary", { hasText: /^pose/ }).click();
    await page.locator("#tree button[aria-label='Plot pose.position.x']").waitFor();
    // of a long list the beginning is shown, and how many follow
    await openTopic(page, "/scan");
    const list = page.locator("#tree summary", { hasText: "ranges" });
    const { json: scan } = await server.get("/api/topics/%2Fscan/latest");
    await until(async () => (await list.count()) && (await list.textContent()) === `ranges [${scan.ranges.length}]`, "the length of a list is its own");
    await list.click();
    await page.locator("#tree .leaf", { hasText: `… ${scan.ranges.length - 10} more` }).waitFor();
    await page.keyboard.press("Escape");
    assert.ok(await page.locator("#message").isHidden());
  },

  async picture({ open }) {
    const server = await serve([recording, "--start-paused"]);
    await server.post("/api/playback", { seek: "+2s" });
    const page = await open(server.url);
    await openTopic(page, "/camera/front/image");
    const size = () => page.locator("#picture img").evaluate((image) => image.naturalWidth);
    await until(async () => (await page.locator("#picture img").count()) && (await size()) > 100, "the picture is shown");
    // raw ones are drawn: 2 by 1 pixels, red and blue
    const raw = { topic: "/raw", schema: "foxglove.RawImage", data: { timestamp: "2026-01-01T00:00:00Z", width: 2, height: 1, encoding: "rgb8", step: 6, data: "/wAAAAD/" } };
    const live = await serve(["-"], { input: `${JSON.stringify(raw)}\n` });
    // that one says that it is larger than all memory
    const liar = { ...raw, topic: "/liar", data: { ...raw.data, width: 20_000, height: 20_000, step: 1 } };
    const feed = setInterval(() => live.write(`${JSON.stringify(raw)}\n${JSON.stringify(liar)}\n`), 100);
    const other = await open(live.url);
    await until(async () => (await other.locator("#rows .row").count()) === 2, "both topics are there");
    await openTopic(other, "/liar");
    await until(() => other.locator("#picture p").isVisible(), "a picture without its pixels is not shown");
    await openTopic(other, "/raw");
    const pixels = () => other.locator("#picture canvas").evaluate((canvas) => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data].join());
    await until(async () => (await other.locator("#picture canvas").count()) && (await pixels()) === "255,0,0,255,0,0,255,255", "the pixels are shown");
    clearInterval(feed);
  },

  async live({ open }) {
    const hostile = `/<img src=x onerror="document.title='hit'">`;
    const line = (topic, n) => `${JSON.stringify({ topic, data: { n, text: "<b>bold</b>" } })}\n`;
    const server = await serve(["-"], { input: line("/count", 0) });
    let sent = 0;
    const feed = setInterval(() => server.write(line("/count", ++sent) + line(hostile, sent)), 20);
    const page = await open(server.url);
    await until(async () => (await page.locator("#rows .row").count()) === 2, "both topics are there");
    await until(async () => /^[\d.]+ messages\/s$/.test(await textOf(page, "position")) && parseFloat(await textOf(page, "position")) > 5, "rates are shown");
    assert.ok(await page.locator("#transport").isHidden());
    assert.ok(await page.locator("#keep").isHidden());
    assert.equal(await page.locator("#rows img, #tree b, #tree img").count(), 0);
    await topicRow(page, "/count").locator("canvas").waitFor();
    await page.locator("#rows button", { hasText: "onerror" }).click();
    await until(async () => (await page.locator("#tree .value").allTextContents()).includes('"<b>bold</b>"'), "text stays text");
    assert.notEqual(await page.title(), "hit");
    // what is copied into a shell is one word
    await page.locator("#show-curl").click();
    const escaped = encodeURIComponent(hostile).replaceAll("'", "%27");
    assert.ok((await textOf(page, "curl-lines")).includes(`curl '${server.url}api/topics/${escaped}/latest'`));
    clearInterval(feed);
  },

  async returns({ open }) {
    const server = await serve([recording, "--start-paused"], { port: await freePort() });
    const page = await open(server.url, {}, (text) => /ERR_|Failed to load/.test(text));
    await page.locator("body.live").waitFor();
    await server.stop("SIGKILL");
    await page.locator("#gone").waitFor();
    assert.match(await textOf(page, "gone"), /does not answer/);
    const again = await serve([recording, "--start-paused", "--name", "the other one"], { port: server.port });
    await page.locator("#gone").waitFor({ state: "hidden" });
    await until(async () => (await textOf(page, "name")) === "the other one", "what it says now is shown");
    await page.locator("#play").click();
    await until(async () => (await state(again)) === "playing", "it can be used again");
    await again.stop("SIGKILL");
    await page.locator("#gone").waitFor();
    await serve(["-"], { port: server.port, input: `${JSON.stringify({ topic: "/count", data: {} })}\n` });
    await until(async () => (await textOf(page, "lane-label")) === "Rate in the last minute", "live input has no timeline");
  },

  async phone({ open }) {
    const server = await serve([recording, "--start-paused"]);
    await server.post("/api/playback", { seek: "+2s" });
    const page = await open(server.url, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await until(async () => (await page.locator("#rows .row").count()) === 12, "the topics are there");
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(await wide(), 390);
    for (const id of ["play", "step", "loop", "range", "rate", "foxglove", "show-more"]) {
      const box = await page.locator(`#${id}`).boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= 390 && box.height >= 32, `${id} ${JSON.stringify(box)}`);
    }
    await page.locator('#rows button[title="/camera/front/image"]').tap();
    await until(() => page.locator("#picture img").count(), "the message is shown");
    assert.equal(await wide(), 390);
    const away = await page.evaluate(() => document.querySelector("aside").getBoundingClientRect().top);
    assert.ok(away > 844 / 3, `the timeline can be seen above the message, ${away}`);
    await page.locator("#message-close").tap();
    await page.locator("#play").tap();
    await until(async () => (await state(server)) === "playing", "it plays");
    await page.evaluate(() => (window.viewer = new WebSocket(`ws://${location.host}`, "foxglove.sdk.v1")));
    await page.locator("#tab-clients").tap();
    const card = page.locator("#client-rows tr");
    await card.waitFor();
    assert.equal(await wide(), 390);
    const cells = await card.locator("td").evaluateAll((all) => all.map((cell) => cell.clientWidth));
    assert.ok(Math.min(...cells) > 100, `${cells}`);
  },

  async keyboard({ open }) {
    const server = await serve([recording, "--start-paused"]);
    const page = await open(server.url);
    await until(async () => (await page.locator("#rows .row").count()) === 12, "the topics are there");
    const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
    await openTopic(page, "/vehicle/state");
    await press(" ");
    await until(async () => (await state(server)) === "playing", "space plays after a click");
    assert.ok(await page.locator("#message").isVisible(), "the click alone has opened the message");
    await press("Escape", " ", "l", "ArrowUp");
    await until(async () => {
      const now = await server.get("/api/playback");
      return now.state === "paused" && now.loop && now.rate === 2;
    }, "space, l and the arrow");
    const { position_s: before } = await server.get("/api/playback");
    await press("ArrowRight");
    await until(async () => (await server.get("/api/playback")).position_s > before + 3, "the arrow seeks");
    await press("?");
    assert.ok(await page.locator("#keys").isVisible());
    await press("Escape");
    assert.ok(await page.locator("#keys").isHidden());
    // everything that can be used is reached by Tab, and shows that it is
    await page.locator("#filter").focus();
    await press("/", "Escape", "/");
    await page.keyboard.type("vehicle");
    await until(async () => (await page.locator("#rows .row:visible").count()) === 1, "the filter is used");
    let reached = "";
    for (let tabs = 0; tabs < 10 && reached !== "/vehicle/state"; tabs += 1) {
      await press("Tab");
      reached = await page.evaluate(() => document.activeElement.textContent);
    }
    assert.equal(reached, "/vehicle/state");
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
    await press("Enter");
    await page.locator("#message").waitFor();
    await press("Escape");
    await page.locator("#ruler").focus();
    await press("Home");
    await until(async () => (await server.get("/api/playback")).position_s === 0, "Home goes to the start");
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll("button, a, input, select, [role=slider]")].filter((element) => element.checkVisibility() && !(element.ariaLabel || element.title || element.textContent.trim() || element.labels?.length)).map((element) => element.id),
    );
    assert.deepEqual(unnamed, []);
  },

  async topics({ open }) {
    const lines = Array.from({ length: 1000 }, (_, n) => `${JSON.stringify({ topic: `/robot${n % 20}/sensor_${n}`, data: { n } })}\n`);
    const server = await serve(["-"], { input: lines.join("") });
    const page = await open(server.url);
    await until(async () => (await page.locator("#rows .row").count()) === 1000, "all topics are there");
    assert.equal(await textOf(page, "topics-count"), "1,000");
    const drawn = () => page.evaluate(() => [...document.querySelectorAll("#rows canvas")].filter((canvas) => canvas.width > 0 && canvas.width !== 300).length);
    await until(drawn, "what can be seen is drawn");
    assert.ok((await drawn()) < 60, `${await drawn()} are drawn`);
    await page.locator("#filter").fill("robot7 sensor_1");
    const expected = lines.filter((_, n) => `/robot${n % 20}/sensor_${n}`.includes("robot7") && `sensor_${n}`.includes("sensor_1")).length;
    assert.equal(await page.locator("#rows .row:visible").count(), expected);
    await page.locator("#filter").fill("");
    await page.locator("#rows .row").last().scrollIntoViewIfNeeded();
    await until(drawn, "what came into sight is drawn");
    const [deck, labels] = [await page.locator("#deck").boundingBox(), await page.locator(".labels").boundingBox()];
    assert.ok(deck.y === 0 && Math.abs(labels.y - deck.height) < 2, `the heading stays: ${JSON.stringify([deck, labels])}`);
    assert.ok((await drawn()) < 120, `${await drawn()} are drawn`);
  },

  async still({ open }) {
    for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
      // what Chromium calls a layout shift, after a click too
      const watched = async (url) => {
        const page = await open(url, { viewport }, (text) => /ERR_|Failed to load/.test(text));
        await until(async () => (await page.locator("#rows .row").count()) > 0, "the topics are there");
        await page.waitForTimeout(500);
        await page.evaluate(() => {
          window.shifts = [];
          new PerformanceObserver((list) => list.getEntries().forEach(({ value, sources }) => window.shifts.push(`${value} ${sources.map(({ node }) => node?.id || node?.className)}`))).observe({ type: "layout-shift" });
        });
        return page;
      };
      const isStill = async (page, what) => {
        await page.waitForTimeout(300);
        assert.deepEqual(await page.evaluate(() => window.shifts.splice(0)), [], `${viewport.width} px: ${what}`);
      };
      let server = await serve([recording, "--start-paused"]);
      const page = await watched(server.url);
      await server.stop("SIGKILL");
      await page.locator("#gone").waitFor();
      await isStill(page, "the server is gone");
      server = await serve([recording, "--start-paused"], { port: server.port });
      await page.locator("#gone").waitFor({ state: "hidden" });
      await server.post("/api/playback", { seek: "+1s" });
      await isStill(page, "the server is back");
      await openTopic(page, "/vehicle/state");
      await page.locator("#tree .leaf button").first().click();
      await page.locator(".pin b:not(:empty)").waitFor();
      await isStill(page, "a message and a plot");
      await page.locator(".pin button").click();
      await page.locator("#message-close").click();
      await isStill(page, "neither");

      const line = (topic) => `${JSON.stringify({ topic, data: { n: 1 } })}\n`;
      const live = await serve(["-", "--keep", "60s", "--save-dir", tmpdir()], { input: line("/b") + line("/d") });
      const other = await watched(live.url);
      await other.locator("#save:enabled").click();
      await until(async () => (await textOf(other, "notices-count")) === "1", "what was saved is a notice");
      assert.match(await textOf(other, "said"), /^Saved /);
      const saved = await fetch(await other.locator("#saved").evaluate((link) => link.href));
      assert.deepEqual([saved.status, Number(saved.headers.get("content-length")) > 100], [200, true], "it is downloaded");
      await isStill(other, "a notice");
      await other.waitForTimeout(6500);
      assert.equal(await textOf(other, "said"), "");
      live.write(line("/c/of/a/name/that/is/longer/than/all/others"));
      await until(async () => (await other.locator("#rows .row").count()) === 3, "a topic comes");
      await isStill(other, "a topic that comes");
      assert.match(await other.locator("#rows .row").last().textContent(), /^\/c\/of/);
      if (viewport.width < 700) continue;
      await other.locator(".labels button").first().click();
      await until(async () => /^\/c\/of/.test(await other.locator("#rows .row").nth(1).textContent()), "the heading sorts");
    }
  },

  async zooms({ open }) {
    const server = await serve([recording, "--start-paused"]);
    const page = await open(server.url);
    const asked = [];
    page.on("request", (request) => request.url().includes("/api/timeline") && asked.push(new URL(request.url()).searchParams));
    await page.locator("#ruler.seekable").waitFor();
    const { x, y, width, height } = await page.locator("#ruler").boundingBox();
    const hovered = async (share) => {
      await page.mouse.move(x + share * width, y + height / 2);
      return seconds((await textOf(page, "hover-text")).split(" ")[0]);
    };
    const at = await hovered(0.25);
    await page.mouse.wheel(0, -700);
    await page.locator("#whole").waitFor();
    await until(async () => (await hovered(0.999)) - (await hovered(0)) < 2, "less is shown");
    assert.ok(Math.abs((await hovered(0.25)) - at) < 0.01, "what is below the pointer stays there");
    const part = await until(() => asked.find((query) => query.has("start")), "its counts are asked for");
    const { start_ns: start } = await server.get("/api/playback");
    const offset = (key) => Number(BigInt(part.get(key)) - BigInt(start)) / 1e9;
    assert.ok(offset("start") < at && at < offset("end") && offset("end") - offset("start") < 4, `${part}`);
    const from = await hovered(0);
    await page.keyboard.down("Shift");
    await page.mouse.wheel(0, 200);
    await page.keyboard.up("Shift");
    await until(async () => (await hovered(0)) > from + 0.2, "Shift moves it");
    // a click seeks to the time that is shown there, and playback stays in sight
    const wanted = await hovered(0.5);
    await page.mouse.click(x + width / 2, y + height / 2);
    await until(async () => Math.abs((await server.get("/api/playback")).position_s - wanted) < 0.01, "a click seeks");
    await until(async () => Math.abs(seconds(await textOf(page, "position")) - wanted) < 0.02, "the page shows where that is");
    // what others seek to just after a click is not shown: the page waits for the state after its own
    let seeks = 0;
    await until(async () => {
      await server.post("/api/playback", { seek: `+${5 + ++seeks / 1000}s` });
      return (await hovered(0)) < 5 && (await hovered(0.999)) > 5;
    }, "what is shown goes with playback");
    await page.keyboard.press("0");
    assert.ok(await page.locator("#whole").isHidden());
    assert.ok((await hovered(0.999)) > 5.99, "all is shown");
    await page.keyboard.press("+");
    await page.locator("#whole").click();
    assert.ok(await page.locator("#whole").isHidden());
  },

  async links({ open }) {
    const server = await serve([recording, "--start-paused"]);
    // the topic may be asked for before the seek, when it has no message yet
    const page = await open(`${server.url}?t=2.5#%2Fvehicle%2Fstate`, {}, (text) => text.endsWith("/latest?short"));
    await until(async () => (await server.get("/api/playback")).position_s === 2.5, "the link seeks");
    await page.locator("#message").waitFor();
    await server.post("/api/playback", { seek: "+1s" });
    await page.reload();
    await page.locator("body.live").waitFor();
    await until(async () => (await textOf(page, "position")) === "0:01.000", "a page that is loaded again does not seek");
    await open(`${server.url}?t=%2B4.25s`);
    await until(async () => (await server.get("/api/playback")).position_s === 4.25, "an offset");
    await page.evaluate(() => (location.hash = "#%2Ftf"));
    await until(async () => (await textOf(page, "message-topic")) === "/tf", "the address is followed");
    const { start_ns: start } = await server.get("/api/playback");
    await open(`${server.url}?t=${BigInt(start) + 500_000_000n}`);
    await until(async () => (await server.get("/api/playback")).position_s === 0.5, "nanoseconds");
  },

  async strangers({ open }) {
    const server = await serve([recording, "--start-paused"]);
    const own = http.createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<title>a stranger</title>")).listen(0, "127.0.0.1");
    await until(() => own.address(), "the other site listens");
    const before = await server.get("/api/playback");
    const unharmed = async (what) => assert.deepEqual(await server.get("/api/playback"), before, what);
    const meant = () => true;
    const body = JSON.stringify({ command: "play", seek: "+3s" });
    const asks = (page, url, options) => page.evaluate(([url, options]) => fetch(url, options).then((response) => response.status, () => "refused"), [url, options]);

    // a page of another site
    const page = await open(`http://evil.example:${own.address().port}/`, {}, meant);
    const target = `http://127.0.0.1:${server.port}/api/playback`;
    const json = { "Content-Type": "application/json" };
    assert.equal(await asks(page, target, { method: "POST", headers: json, body }), "refused");
    assert.equal(await asks(page, target, { method: "POST", body }), "refused");
    assert.equal(await asks(page, target, { method: "POST", mode: "no-cors", body }), 0);
    assert.equal(await asks(page, target, {}), "refused");
    await unharmed("fetch");
    await page.evaluate(([url, body]) => {
      const form = Object.assign(document.createElement("form"), { action: url, method: "POST", enctype: "text/plain" });
      form.append(Object.assign(document.createElement("input"), { name: body }));
      document.body.append(form);
      form.submit();
    }, [target, body]);
    await page.waitForURL(target);
    await unharmed("a form");

    // a name of another site that was made to point here
    const rebound = await open(`http://evil.example:${server.port}/`, {}, meant);
    assert.doesNotMatch(await rebound.content(), /page\.js/);
    assert.equal(await asks(rebound, "/api/playback", { method: "POST", headers: json, body }), 403);
    assert.equal(await asks(rebound, "/api/status", {}), 403);
    await unharmed("rebinding");
    await until(() => /--allow-origin http:\/\/evil\.example/.test(server.said()), "the log names who was refused");
    own.close();
  },
};

async function main() {
  const browser = await browse(chromium);
  await TRIALS[trial](browser);
  await browser.finish();
}

setTimeout(() => assert.fail(`took too long\n${logs()}`), 240_000).unref();
main().then(
  () => process.exit(0),
  (error) => {
    console.error(error, logs());
    process.exit(1);
  },
);
