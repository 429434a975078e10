/* In: the program itself, replaying the capture of a storm with `privacy` as it is by default, and a real browser on the alarm's page.  Out:
 * passed or failed: nobody is named until somebody says who he is, and why.  usage: node reveal.test.mjs SQUALL CAPTURE OUT [CHROMIUM] */

import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {chromium} from 'playwright-core';

const [squall, capture, shots, executable = '/usr/bin/chromium'] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const port = await new Promise((done) => { const s = createServer().listen(0, '127.0.0.1', () => { const {port} = s.address(); s.close(() => done(port)); }); });
const state = await mkdtemp(`${tmpdir()}/squall-reveal-`), url = `http://127.0.0.1:${port}`;
let passed = 0, failed = 0;

async function test(name, body) {
  try {
    await body();
    passed++;
  } catch (why) {
    failed++;
    console.log(`FAILED: ${name}: ${why.message}`);
  }
}

await writeFile(`${state}/conf`, `listen = "127.0.0.1:${port}"\nstate_directory = "${state}"\n`);
const watch = spawn(squall, ['watch', '-c', `${state}/conf`, '-r', capture, '--speed', '0.5'], {stdio: 'ignore'});
const ended = new Promise((done) => { watch.on('exit', done); });
const browser = await chromium.launch({executablePath: executable, args: ['--no-sandbox']});
const page = await browser.newPage({viewport: {width: 1280, height: 1000}}), faults = [];
page.on('pageerror', (why) => faults.push(why.message));
page.on('console', (line) => line.type() === 'error' && faults.push(line.text()));

let id = null;
for (let i = 0; i < 600 && !id; i++) {
  await new Promise((done) => { setTimeout(done, 200); });
  id = await fetch(`${url}/api/v1/alarms`).then((a) => a.json()).then((a) => a.alarms.find((one) => one.kind === 'reinjection')?.id).catch(() => null);
}
await test('nobody is named', async () => {
  assert.ok(id, 'the storm is not told');
  await page.goto(`${url}/alarms/${id}`);
  await page.waitForSelector('#reveal:not([hidden]) form');
  const text = await page.innerText('body');
  assert.match(text, /\*@bank\.test/);
  assert.doesNotMatch(text, /els\.peeters|Nieuwe openingsuren/i);
});
await test('a name and a reason are demanded', async () => {
  await page.click('#reveal button');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'reveal-who');
  await page.fill('#reveal-who', 'Jo');
  await page.fill('#reveal-reason', '   ');
  await page.click('#reveal button');
  await page.waitForFunction(() => document.querySelector('#reveal [role=alert]').textContent.includes('reason'));
});
await test('the page and its form are for everybody', async () => {
  await page.evaluate(axe);
  const {violations} = await page.evaluate(() => window.axe.run('#reveal'));
  assert.deepEqual(violations.map((v) => v.id), []);
  await page.locator('#reveal').scrollIntoViewIfNeeded();
  await page.screenshot({path: `${shots}/reveal-asked.png`});
});
await test('then the mail is shown, and who looked', async () => {
  faults.length = 0; /* the refusal stands there */
  await page.fill('#reveal-reason', 'ticket 7');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#mail').textContent.includes('Nieuwe openingsuren'));
  await page.waitForFunction(() => document.querySelector('#reveal ul').textContent.includes('Jo (127.0.0.1): ticket 7'));
  assert.match(await page.innerText('#mail'), /els\.peeters@bank\.test/);
  assert.equal(await page.isVisible('#reveal form'), false);
  await page.screenshot({path: `${shots}/reveal-done.png`});
});
await test('it stays so while the storm goes on', async () => {
  await page.waitForTimeout(4000);
  assert.match(await page.innerText('#mail'), /els\.peeters@bank\.test/);
});
await test('on the next visit nobody is named, and the look is still told', async () => {
  await page.reload();
  await page.waitForFunction(() => document.querySelector('#reveal ul').textContent.includes('ticket 7'));
  assert.doesNotMatch(await page.innerText('#mail'), /els\.peeters/);
  assert.deepEqual(faults, []);
});

await browser.close();
watch.kill();
await ended;
await rm(state, {recursive: true});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
