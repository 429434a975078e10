/* In: the pages of web/static behind a stand-in of the sensor, and a real browser.  Out: passed or failed, and screenshots to look at.
 * usage: node browser.test.mjs PAGES READ.json SCREENSHOTS [CHROMIUM] */

import assert from 'node:assert/strict';
import {mkdir, readFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {chromium} from 'playwright-core';
import {quarter, StandIn} from './stand_in.mjs';

const [pages, read_file, shots, executable = '/usr/bin/chromium'] = process.argv.slice(2);
const read = JSON.parse(await readFile(read_file, 'utf8'));
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const END = Date.parse(read.capture.last), RE_INJECTORS = ['server.company1.test', 'server.company2.test', 'server.company3.test', 'server.company4.test'];
const hops = (await readFile(read_file.replace(/json$/, 'jsonl'), 'utf8')).trim().split('\n').map(JSON.parse);
const storm = read.alarms.find((a) => a.kind === 'reinjection');
const PATIENCE = 120000; /* ms; a busy machine is no fault of the pages */
const clone = (what) => structuredClone(what);
const calm = () => ({...clone(read), alarms: []});

await mkdir(shots, {recursive: true});
const browser = await chromium.launch({executablePath: executable, args: ['--no-sandbox']});
const faults = [], tests = [];
const test = (name, body) => tests.push([name, body]);

/* A page on a fresh stand-in; every console error and refused policy is a fault of the test, save those it expects. */
async function with_page(options, body) {
  const sensor = await new StandIn(pages, options.read ?? calm()).start();
  sensor.rates = quarter(END, options.bursts);
  sensor.hosts = read.alarms.flatMap((a) => (options.alarms ? a.hosts : []));
  sensor.alarms = clone(options.alarms ?? []);
  Object.assign(sensor, options.sensor);
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, locale: 'en-GB', timezoneId: 'Europe/Brussels', permissions: ['clipboard-read', 'clipboard-write'], ...options.context});
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage(), wrong = [];
  page.on('console', (m) => m.type() === 'error' && !options.expect?.test(m.text()) && wrong.push(m.text()));
  page.on('pageerror', (e) => wrong.push(String(e)));
  try {
    await page.goto(sensor.url + (options.path ?? '/'));
    await body(page, sensor);
    assert.deepEqual(wrong, [], 'the console is clean');
  } finally {
    await context.close();
    sensor.stop();
  }
}

const shot = (page, name, whole = true) => page.screenshot({path: `${shots}/${name}.png`, fullPage: whole});
const word = (page, text) => page.waitForFunction((t) => document.querySelector('#state-word')?.textContent === t, text);
const path = `/alarms/${storm.id}`;
const trace = `/trace?message_id=${encodeURIComponent(storm.message_id)}`;
/* What the sensor adds to a transaction: here, to each that a re-injector sent, that all had it. */
hops.forEach((h) => { h.redeliveries = RE_INJECTORS.includes(h.client.name) && h.message_id === storm.message_id ? h.recipients.length : 0; });
const watched = storm.hosts.filter((h) => h.role === 'reinjector').map((h) => ({address: h.address, name: h.name, domain: h.name.replace('server.', ''), mails: h.copies, recipients: h.redeliveries,
  first: h.first, last: h.last ?? h.first, message_id: storm.message_id, received: `from pop.provider.test [10.2.1.10] by ${h.name} with POP3 (fetchmail-6.4.37)`}));
const traced = {read, alarms: read.alarms, path: trace, sensor: {hops}};
const listed = (page) => page.waitForSelector('#hops > li');
const in_storm = {read, sensor: {watched, hops}, alarms: read.alarms, bursts: [[60, 25], [30, 70], [8, 140]]};
const drawn = (page) => page.waitForSelector('#tree svg');

async function accessible(page) {
  await page.evaluate(await readFile(axe, 'utf8'));
  const found = await page.evaluate(() => globalThis.axe.run(document, {resultTypes: ['violations']}));
  const serious = found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical');
  assert.deepEqual(serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(' ')}`), []);
}

const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);

test('calm: says so, and what is watched', () => with_page({}, async (page) => {
  await word(page, 'Calm');
  assert.match(await page.textContent('#state-next'), /398 messages/);
  await page.waitForSelector('#chart canvas');
  await shot(page, 'now-calm');
}));

test('the banner turns within two seconds of the alarm', () => with_page({bursts: in_storm.bursts}, async (page, sensor) => {
  await word(page, 'Calm');
  await page.waitForFunction(() => document.querySelector('#link').textContent === 'live');
  const from = Date.now();
  sensor.raise(clone(storm));
  await word(page, 'Storm');
  console.log(`pages: the banner turned ${Date.now() - from} ms after the alarm`);
  assert.ok(Date.now() - from < 15000); /* 2 s on a machine that does nothing else */
  assert.match(await page.textContent('#state-who'), /4 machines re-send “Nieuwe openingsuren”/);
  assert.match(await page.textContent('#state-not'), /mail\.bank\.test is not the cause/);
}));

test('now, in a storm', () => with_page(in_storm, async (page, sensor) => {
  await word(page, 'Storm');
  await page.waitForSelector('#chart canvas');
  sensor.emit('rates', {time: new Date(END + 1000).toISOString(), messages: 3, deliveries: 20, redeliveries: 15});
  await page.waitForTimeout(300);
  await shot(page, 'now-storm');
  await accessible(page);
  await page.click('text=Copy the rule that stops it');
  await page.waitForSelector('text=Copied');
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /header_checks/);
}));

test('nothing moves when answers come in', () => with_page({...in_storm}, async (page) => {
  const [sum, what] = await page.evaluate(() => new Promise((done) => {
    const moved = [];
    let shift = 0;
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) {
        shift += e.hadRecentInput ? 0 : e.value;
        moved.push(...e.sources.map((s) => `${s.node?.id || s.node?.nodeName} ${s.previousRect.y} to ${s.currentRect.y}`));
      }
    }).observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done([shift, moved]), 1500);
  }));
  assert.ok(sum < 0.1, `layout shift ${sum}: ${what.join(', ')}`);
}));

test('the storm page names who does it and who does not', () => with_page({...in_storm, path}, async (page) => {
  await drawn(page);
  const guilty = await page.$$eval('#tree .host:has(.guilty) .lbl', (all) => all.map((t) => t.textContent).sort());
  assert.deepEqual(guilty, RE_INJECTORS);
  assert.deepEqual(await page.$$eval('#tree .host:has(.clean) .lbl', (all) => all.map((t) => t.textContent)), ['mail.bank.test']);
  assert.equal(await page.$$eval('#tree .edge.word', (all) => all.length), 4, 'mailbox to connector stands in the header alone');
  assert.match(await page.textContent('#tree'), /348 again/);
  assert.match(await page.textContent('#verdict-not'), /58, each recipient once/);
  await shot(page, 'storm');
  await accessible(page);
}));

test('the cure is copied as it stands', () => with_page({...in_storm, path}, async (page) => {
  await drawn(page);
  for (const [tab, name] of [['Exim', 'exim'], ['nftables', 'nft'], ['Postfix', 'postfix']]) {
    await page.click(`#cure-tabs >> text="${tab}"`);
    await page.click('#cure-copy');
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), storm.cure[name]);
  }
}));

test('hosts that send, and hosts that are watched', () => with_page(in_storm, async (page, sensor) => {
  await page.waitForSelector('#watched-rows tr');
  assert.equal(await page.$$eval('#host-rows tr', (all) => all.length), 5);
  assert.match(await page.textContent('#host-rows'), /348/);
  assert.match(await page.textContent('#watched-rows'), /Fetched \d+ mails from a mailbox and sent them to people in their To: and Cc:.*with POP3/s);
  await page.click('#watched-rows a >> nth=0');
  await listed(page);
  assert.equal(page.url(), sensor.url + trace);
}));

test('a message leads to its trace', () => with_page(in_storm, async (page) => {
  await page.click('#message-rows a:text-is("trace") >> nth=0');
  await listed(page);
  assert.equal(await page.$$eval('#hops > li', (all) => all.length), storm.copies);
  assert.match(await page.textContent('#answer'), new RegExp(`^${storm.copies} transactions carried this mail`));
  assert.equal(await page.getAttribute('#mail a', 'href'), path);
}));

test('a trace: who gave it to whom, who again, and the way of the copy', () => with_page(traced, async (page) => {
  await listed(page);
  assert.match(await page.textContent('#hops > li >> nth=0'), /mail\.bank\.test.*→.*mail\.provider\d\.test.*info@company\d\.test.*250/s);
  const again = await page.$$eval('#hops > li.again', (all) => all.length);
  assert.ok(again > 300 && again < storm.copies);
  assert.match(await page.textContent('#hops > li.again >> nth=0'), /re-injector.*again/s);
  await page.click('#hops > li.again summary >> nth=30');
  const way = page.locator('#hops details[open] .way li');
  assert.match(await way.first().textContent(), /pc17\.bank\.test/);
  assert.match(await page.textContent('#hops details[open] .way .storm-ink'), /POP3/);
  assert.match(await way.last().textContent(), /server\.company\d\.test → mx\.isp\.test/);
  assert.ok(await page.$$eval('#hops details[open] .recipients li', (all) => all.every((li) => /^(250|550|no answer) /.test(li.textContent))));
  await shot(page, 'trace', false);
  await accessible(page);
  await page.check('#only-again');
  assert.equal(await page.$$eval('#hops > li:not(.again)', (all) => all.length), 0);
}));

test('a trace by the field: an address, nothing, back', () => with_page({...traced, path: '/trace', expect: /404/}, async (page, sensor) => {
  await page.waitForFunction(() => /latest mails/.test(document.querySelector('#answer').textContent));
  await shot(page, 'trace-empty');
  await page.focus('#asked');
  await page.keyboard.type(' <info@company1.test> ');
  await page.keyboard.press('Enter');
  await listed(page);
  assert.match(await page.textContent('#answer'), /have this address/);
  assert.equal(page.url(), `${sensor.url}/trace?q=${encodeURIComponent('info@company1.test')}`);
  await page.fill('#asked', 'Message-ID: <nobody@nowhere.test>');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => /None of the mails kept carries “nobody@nowhere.test”/.test(document.querySelector('#answer').textContent));
  assert.ok(!await page.isVisible('#hops-card'));
  await page.goBack();
  await listed(page);
  assert.equal(await page.inputValue('#asked'), 'info@company1.test');
  await page.focus('#asked');
  for (let i = 0; i < 2; i++)
    await page.keyboard.press('Tab');
  if (await page.isVisible('#only-again'))
    await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#hops > li:first-child .way');
}));

test('a trace by address, where privacy forbids it', () => with_page({...traced, path: '/trace?address=info%40company1.test', sensor: {hops, forbidden: true}, expect: /403/}, async (page) => {
  await page.waitForFunction(() => /privacy setting/.test(document.querySelector('#answer').textContent));
  await shot(page, 'trace-private');
}));

test('a trace in three languages', () => with_page({...traced, context: {locale: 'nl-BE'}}, async (page) => {
  await listed(page);
  assert.match(await page.textContent('#answer'), /transacties droegen dit bericht/);
  await page.click('[data-language=fr]');
  await page.waitForFunction(() => /transactions ont porté ce courrier/.test(document.querySelector('#answer').textContent));
  await page.click('#hops > li.again summary >> nth=0');
  await shot(page, 'trace-french', false);
}));

test('acknowledge', () => with_page({...in_storm, path}, async (page, sensor) => {
  await drawn(page);
  await page.click('#acknowledge');
  await page.waitForSelector('#acknowledge', {state: 'hidden'});
  assert.deepEqual(sensor.acknowledged, [storm.id]);
  assert.match(await page.textContent('#verdict-facts'), /taken it on/);
}));

for (const [name, from, options] of [['now', '/', {}], ['storm', path, {}], ['trace', trace, {}]]) {
  test(`${name}: dark`, () => with_page({...in_storm, path: from, context: {colorScheme: 'dark'}, ...options}, async (page) => {
    await page.waitForTimeout(600);
    await shot(page, `${name}-dark`, name !== 'trace');
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(15, 20, 27)');
    await accessible(page);
  }));
  test(`${name}: phone`, () => with_page({...in_storm, path: from, context: {viewport: {width: 360, height: 740}, isMobile: true, hasTouch: true}}, async (page) => {
    await page.waitForTimeout(600);
    await shot(page, `${name}-phone`, name !== 'trace');
    assert.ok(await fits(page), 'nothing sticks out sideways');
    await accessible(page);
  }));
  test(`${name}: 4K`, () => with_page({...in_storm, path: from, context: {viewport: {width: 3840, height: 2160}}}, async (page) => {
    await page.waitForTimeout(600);
    await page.screenshot({path: `${shots}/${name}-4k.png`});
    assert.ok(await fits(page));
  }));
}

test('print', () => with_page({...in_storm, path}, async (page) => {
  await drawn(page);
  await page.emulateMedia({media: 'print'});
  await shot(page, 'storm-print');
  assert.ok(!await page.isVisible('#acknowledge'));
}));

test('Dutch and French', () => with_page({...in_storm, context: {locale: 'nl-BE'}}, async (page) => {
  await word(page, 'Storm');
  await page.waitForFunction(() => document.querySelector('#state-who').textContent.startsWith('4 machines sturen'));
  await page.click('[data-language=fr]');
  await word(page, 'Tempête');
  await shot(page, 'now-french');
}));

test('the sensor speaks French and Dutch too', () => with_page({...in_storm, path, context: {locale: 'fr-BE'}}, async (page) => {
  await drawn(page);
  assert.match(await page.textContent('#why'), /3 autres machines relèvent ce courrier dans une boîte et l’envoient de nouveau/);
  assert.match(await page.textContent('#cure-advice'), /Arrêtez le connecteur POP3/);
  assert.match(await page.textContent('#timeline'), /maintenant critique/);
  assert.equal(await page.$$eval('main [lang=en]', (all) => all.filter((e) => e.textContent).length), 0, 'nothing stays English');
  await page.waitForFunction(() => document.querySelector('#tree svg'));
  await shot(page, 'storm-french');
  await page.click('[data-language=nl]');
  await page.waitForFunction(() => /halen dit bericht uit een mailbox/.test(document.querySelector('#why').textContent));
}));

test('what came from mail is text', () => {
  const evil = clone(storm), markup = '<script>window.hit = 1</script><img src=x onerror="window.hit=1">';
  Object.assign(evil, {subject: markup, from: markup, why: markup, acquittal: markup, message_id: `${markup}@x`});
  evil.hosts.forEach((h) => { h.name = markup; h.software = markup; h.evidence.forEach((e) => { e.said = markup; e.received = markup; }); });
  evil.timeline.forEach((e) => { e.what = markup; });
  evil.cure.postfix = markup;
  const bad = {...clone(read), messages: read.messages.map((m) => ({...m, subject: markup, from: markup}))};
  return with_page({read: bad, alarms: [evil], sensor: {hosts: evil.hosts}}, async (page, sensor) => {
    await word(page, 'Storm');
    await page.goto(sensor.url + path);
    await drawn(page);
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.equal(await page.$$eval('main script, main img[src=x]', (all) => all.length), 0);
    assert.ok((await page.textContent('#verdict-who')).includes('<script>'));
    await shot(page, 'storm-hostile');
    sensor.hops = hops.slice(0, 3).map((h) => ({...h, message_id: `${markup}@x`, subject: markup, header_from: markup, from: markup, client: {...h.client, name: markup, user: markup}, server: {...h.server, name: markup},
      recipients: [{address: markup, code: 250}], received: h.received.map((r) => ({...r, from: markup, by: markup, with: markup, id: markup})), report: {quoted_message_id: markup}}));
    await page.goto(`${sensor.url}/trace?q=${encodeURIComponent(`${markup}@x`)}`);
    await listed(page);
    await page.click('#hops summary >> nth=0');
    await page.waitForSelector('.way');
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.equal(await page.$$eval('main script, main img[src=x]', (all) => all.length), 0);
    assert.ok((await page.textContent('.way')).includes('<script>'));
    await shot(page, 'trace-hostile');
  });
});

test('events lost: it asks instead', () => with_page({expect: /events|ERR_INCOMPLETE|503/}, async (page, sensor) => {
  await word(page, 'Calm');
  await page.waitForFunction(() => document.querySelector('#link').textContent === 'live');
  sensor.drop_events();
  await page.waitForFunction(() => document.querySelector('#link').textContent === 'every 5 s');
  sensor.alarms = [clone(storm)];
  await word(page, 'Storm');
}));

test('out of touch', () => with_page({expect: /./}, async (page, sensor) => {
  await word(page, 'Calm');
  sensor.down = true;
  sensor.drop_events();
  await word(page, 'Out of touch');
  await shot(page, 'now-unreachable');
}));

test('the sensor is lost', () => with_page({}, async (page, sensor) => {
  await word(page, 'Calm');
  sensor.status.sensor = {alive: false, why: 'the sensor ended by signal 9'};
  await word(page, 'Blind');
  assert.match(await page.textContent('#state-next'), /signal 9/);
  await shot(page, 'now-blind');
}));

test('no mail for ten minutes', () => with_page({}, async (page, sensor) => {
  await word(page, 'Calm');
  sensor.emit('rates', {time: new Date(END + 700000).toISOString(), messages: 0, deliveries: 0, redeliveries: 0});
  await word(page, 'No mail');
  assert.match(await page.textContent('#state-next'), /tcpdump/);
  await shot(page, 'now-quiet');
}));

test('an alarm that is not there', () => with_page({path: '/alarms/none', expect: /404/}, async (page) => {
  await page.waitForFunction(() => document.querySelector('#verdict-who').textContent === 'No such alarm');
  await shot(page, 'storm-missing');
}));

test('by keyboard', () => with_page({...in_storm, path}, async (page) => {
  await drawn(page);
  await page.focus('#tab-postfix');
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'tab-postfix_clients');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), storm.cure.postfix_clients);
}));

for (const other of (process.env.OTHER_STORMS ?? '').split(' ').filter(Boolean)) {
  const said = JSON.parse(await readFile(other, 'utf8')), name = other.replace(/.*\/|\.json$/g, '');
  for (const alarm of said.alarms.filter((a) => a.severity !== 'notice')) {
    test(`${name}: ${alarm.kind}`, () => with_page({read: said, alarms: said.alarms, path: `/alarms/${alarm.id}`}, async (page) => {
      await page.waitForSelector('#page:not(.waiting)');
      assert.notEqual(await page.textContent('#verdict-who'), '');
      assert.ok(await fits(page));
      await shot(page, `kind-${name}`);
    }));
  }
}

let passed = 0;
for (const [name, body] of tests) {
  try {
    await body();
    passed++;
  } catch (fault) {
    faults.push(name);
    console.log(`FAIL ${name}: ${fault.message}`);
  }
}
await browser.close();
console.log(`${passed} passed, ${faults.length} failed`);
process.exit(faults.length ? 1 : 0);
