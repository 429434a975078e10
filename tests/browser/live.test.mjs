/* In: the program itself, replaying the capture of a storm as fast as it happened, and a real browser on its dashboard.  Out: passed or failed,
 * and screenshots.  usage: node live.test.mjs SQUALL CAPTURE OUT [CHROMIUM] */

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {chromium} from 'playwright-core';

const [squall, capture, shots, executable = '/usr/bin/chromium'] = process.argv.slice(2);
const free_port = () => new Promise((done) => { const s = createServer().listen(0, '127.0.0.1', () => { const {port} = s.address(); s.close(() => done(port)); }); });
const port = await free_port(), state = await mkdtemp(`${tmpdir()}/squall-browser-`);
await writeFile(`${state}/conf`, `listen = "127.0.0.1:${port}"\nstate_directory = "${state}"\n`);

const browser = await chromium.launch({executablePath: executable, args: ['--no-sandbox']});
const watch = spawn(squall, ['watch', '-c', `${state}/conf`, '-r', capture, '--speed', '1'], {stdio: ['ignore', 'pipe', 'pipe']});
let said = '', raised = 0, fault = null;
for (const stream of [watch.stdout, watch.stderr]) {
  stream.on('data', (text) => {
    said += text;
    if (!raised && / raised \w+ reinjection /.test(said))
      raised = Date.now();
  });
}
const until = async (what, sign, ms = 10000) => {
  for (const end = Date.now() + ms; !sign();) {
    assert.ok(Date.now() < end, `${what}; squall said: ${said}`);
    await new Promise((done) => setTimeout(done, 50));
  }
};
try {
  await until('the dashboard opens', () => said.includes('dashboard: http'));
  const page = await browser.newPage({viewport: {width: 1280, height: 900}, locale: 'en-GB'}), wrong = [];
  page.on('console', (m) => m.type() === 'error' && wrong.push(`${m.text()} ${m.location().url}`));
  page.on('pageerror', (e) => wrong.push(String(e)));
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.waitForFunction(() => document.querySelector('#state-word').textContent === 'Storm', null, {timeout: 30000, polling: 50});
  const turned = Date.now();
  assert.ok(raised && turned - raised < 2000, `the banner turned ${turned - raised} ms after the alarm`);
  await page.waitForTimeout(2500);
  const most = await page.$$eval('.dygraph-axis-label-y', (all) => Math.max(...all.map((t) => Number(t.textContent))));
  assert.ok(most >= 20, `the curve follows: its axis ends at ${most}`);
  await page.screenshot({path: `${shots}/live-now.png`, fullPage: true});
  await page.click('.acts a');
  await page.waitForSelector('#tree svg');
  await page.waitForFunction(() => document.querySelectorAll('#tree .host .guilty').length === 4, null, {timeout: 8000});
  const names = await page.$$eval('#tree .host:has(.guilty) .lbl', (all) => all.map((t) => t.textContent).sort());
  assert.deepEqual(names, [1, 2, 3, 4].map((n) => `server.company${n}.test`));
  await page.click('#acknowledge');
  await page.waitForSelector('#acknowledge', {state: 'hidden', timeout: 5000});
  await page.waitForTimeout(1500);
  assert.ok(!await page.isVisible('#acknowledge'), 'it stays acknowledged');
  await page.screenshot({path: `${shots}/live-storm.png`, fullPage: true});
  assert.deepEqual(wrong, [], 'the console is clean');
  console.log(`live: the banner turned ${turned - raised} ms after the alarm`);
} catch (e) {
  fault = e;
}
watch.kill('SIGTERM');
await browser.close();
await rm(state, {recursive: true, force: true});
console.log(fault ? `FAIL live: ${fault.message}\n0 passed, 1 failed` : '1 passed, 0 failed');
process.exit(fault ? 1 : 0);
