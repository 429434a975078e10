/* In: the program itself, replaying the capture of a storm as fast as it happened, then one of mails full of markup, each with a packet due a
 * day later (tests/stretch), and a real browser on its dashboard.  Out: passed or failed, and screenshots.  usage: node live.test.mjs SQUALL CAPTURE MARKUP OUT [CHROMIUM] */

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {chromium} from 'playwright-core';

const [squall, capture, markup, shots, executable = '/usr/bin/chromium'] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const free_port = () => new Promise((done) => { const s = createServer().listen(0, '127.0.0.1', () => { const {port} = s.address(); s.close(() => done(port)); }); });
const browser = await chromium.launch({executablePath: executable, args: ['--no-sandbox']});
const PATIENCE = 120000; /* ms; a busy machine is no fault of the pages */
let passed = 0, failed = 0;

/* body(page, url, sensor) on a fresh sensor that replays the capture; sensor.said grows, sensor.raised is when it told a reinjection. */
async function live(name, path, body) {
  const port = await free_port(), state = await mkdtemp(`${tmpdir()}/squall-browser-`), sensor = {said: '', raised: 0};
  await writeFile(`${state}/conf`, `listen = "127.0.0.1:${port}"\nstate_directory = "${state}"\nprivacy = "clear"\n`);
  const watch = spawn(squall, ['watch', '-c', `${state}/conf`, '-r', path, '--speed', '1'], {stdio: ['ignore', 'pipe', 'pipe']});
  const ended = new Promise((done) => { watch.on('exit', done); });
  for (const stream of [watch.stdout, watch.stderr]) {
    stream.on('data', (text) => {
      sensor.said += text;
      if (!sensor.raised && / raised \w+ reinjection /.test(sensor.said))
        sensor.raised = Date.now();
    });
  }
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, locale: 'en-GB', permissions: ['clipboard-read', 'clipboard-write']});
  context.setDefaultTimeout(PATIENCE);
  try {
    for (const end = Date.now() + PATIENCE; !sensor.said.includes('dashboard: http'); await new Promise((done) => { setTimeout(done, 50); }))
      assert.ok(Date.now() < end, `the dashboard opens; squall said: ${sensor.said}`);
    const page = await context.newPage(), wrong = [];
    page.on('console', (m) => m.type() === 'error' && wrong.push(`${m.text()} ${m.location().url}`));
    page.on('pageerror', (e) => wrong.push(String(e)));
    await page.goto(`http://127.0.0.1:${port}/`);
    await body(page, `http://127.0.0.1:${port}`, sensor);
    assert.deepEqual(wrong, [], 'the console is clean');
    passed++;
  } catch (fault) {
    failed++;
    console.log(`FAIL live: ${name}: ${fault.message}\n${sensor.said.slice(-2000)}`);
  }
  watch.kill('SIGTERM');
  await ended;
  await context.close();
  await rm(state, {recursive: true, force: true});
}

const shot = (page, name) => page.screenshot({path: `${shots}/${name}.png`, fullPage: true});
const shows = (page, id, what) => page.waitForFunction(([place, text]) => document.getElementById(place).textContent.includes(text), [id, what]);

async function accessible(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, {resultTypes: ['violations']}));
  assert.deepEqual(found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical').map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`), []);
}

await live('a storm', capture, async (page, url, sensor) => {
  await page.waitForFunction(() => document.querySelector('#state-word').textContent === 'Storm', null, {polling: 50});
  const turned = Date.now();
  for (const end = turned + PATIENCE; !sensor.raised && Date.now() < end;)
    await page.waitForTimeout(50);
  assert.ok(sensor.raised && turned - sensor.raised < 15000, /* 2 s on a machine that does nothing else */
    `the banner turned ${turned - sensor.raised} ms after the alarm`);
  await page.waitForFunction(() => Math.max(...[...document.querySelectorAll('.dygraph-axis-label-y')].map((t) => Number(t.textContent))) >= 20); /* the curve follows */
  await page.waitForSelector('#watched-rows tr:nth-child(4)');
  assert.match(await page.textContent('#host-rows'), /server\.company\d\.test/);
  await shot(page, 'live-now');
  await page.click('.acts a');
  await page.waitForSelector('#tree svg');
  await page.waitForFunction(() => document.querySelectorAll('#tree .host .guilty').length === 4);
  const names = await page.$$eval('#tree .host:has(.guilty) .lbl', (all) => all.map((t) => t.textContent).sort());
  assert.deepEqual(names, [1, 2, 3, 4].map((n) => `server.company${n}.test`));
  await page.click('#tab-postfix');
  await page.click('#cure-copy');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.textContent('#cure-text'));
  await page.click('#acknowledge');
  await page.waitForSelector('#acknowledge', {state: 'hidden'});
  await page.waitForTimeout(1500);
  assert.ok(!await page.isVisible('#acknowledge'), 'it stays acknowledged');
  await shot(page, 'live-storm');
  const alarm = await page.evaluate(() => location.pathname);
  await page.click('#mail a[href^="/trace"]');
  await page.waitForSelector('#hops > li.again');
  assert.equal(await page.getAttribute('#mail a', 'href'), alarm);
  await page.click('#hops > li.again summary >> nth=0');
  assert.match(await page.textContent('#hops details[open] .way'), /POP3.*server\.company\d\.test → /s);
  await shot(page, 'live-trace');
  await accessible(page);
  await page.fill('#asked', 'info@company1.test');
  await page.keyboard.press('Enter');
  await shows(page, 'answer', 'this address');
  await page.setViewportSize({width: 360, height: 740});
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), 'nothing sticks out sideways');
  console.log(`live: the banner turned ${turned - sensor.raised} ms after the alarm`);
});

await live('without scripts', capture, async (page, url, sensor) => {
  for (const end = Date.now() + PATIENCE; !sensor.raised; await page.waitForTimeout(100))
    assert.ok(Date.now() < end, 'the storm is raised');
  await page.waitForFunction(() => document.querySelector('#state-word').textContent === 'Storm');
  await page.click('#past summary');
  await page.waitForFunction(() => [...document.querySelectorAll('#past img')].filter((i) => i.naturalWidth > 1000).length === 3);
  await page.click('.acts a');
  await page.waitForFunction(() => document.querySelector('#course img')?.naturalWidth > 1000);
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, locale: 'fr-BE', colorScheme: 'dark', javaScriptEnabled: false});
  const plain = await context.newPage(), drawn = () => plain.$$eval('img.graph', (all) => all.map((i) => i.naturalWidth));
  await plain.goto(`${url}/`);
  await plain.waitForURL(/\/plain$/);
  assert.equal(await plain.textContent('h1'), 'Tempête');
  assert.deepEqual((await drawn()).map((w) => w > 1000), [true, true, true, true]);
  await shot(plain, 'plain-now');
  await plain.click('.acts a');
  await plain.waitForURL(/\/plain\/alarms\/\w+-1\?lang=fr$/);
  assert.match(await plain.textContent('pre'), /RE-INJECTS/);
  assert.ok((await drawn())[0] > 1000, 'its course');
  await plain.click('form button');
  await plain.waitForURL(/\/plain\/alarms\/\w+-1\?lang=fr$/);
  assert.equal(await plain.$('form'), null, 'it is acknowledged');
  await shot(plain, 'plain-storm');
  await plain.setViewportSize({width: 360, height: 740});
  assert.ok(await plain.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), 'nothing sticks out sideways');
  await page.waitForSelector('#acknowledge', {state: 'hidden'}); /* who has scripts sees it */
  await context.close();
});

await live('mails full of markup', markup, async (page, url) => {
  const untouched = async () => {
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.equal(await page.$$eval('main script, main img[src=x], main b > i', (all) => all.length), 0);
  };
  await shows(page, 'alarm-rows', '<script>');
  await shows(page, 'message-rows', '<script>');
  await untouched();
  await shot(page, 'live-markup-now');
  await page.click('#alarm-rows a');
  await shows(page, 'verdict-who', '<script>');
  await untouched();
  await shot(page, 'live-markup-storm');
  await page.click('#mail a[href^="/trace"]');
  await page.waitForSelector('#hops > li');
  assert.match(await page.textContent('#hops'), /<script>window\.hit=1<\/script>\.example/);
  await page.click('#hops summary >> nth=0');
  await page.waitForSelector('.way');
  assert.match(await page.getAttribute('#mail a', 'href'), /^\/alarms\/\w+Z-1$/);
  assert.match(await page.textContent('.way'), /<b>POP3<\/b>.*<script>/s);
  await untouched();
  await shot(page, 'live-markup-trace');
});

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
