/* In: what `squall read --json` said of captures, and web/static/said.json.  Out: is each sentence of the sensor put into French and Dutch, and
 * nothing lost on the way?  usage: node said.test.mjs PAGES READ.json... */

import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';

const [pages, ...reads] = process.argv.slice(2);
let language = 'fr';
/* i18n.js speaks to a browser: as much of one as it needs. */
globalThis.document = {documentElement: {lang: 'en'}, querySelectorAll: () => []};
globalThis.localStorage = {getItem: () => language};
globalThis.fetch = async (path) => ({ok: true, json: async () => JSON.parse(await readFile(path.replace('/static', pages), 'utf8'))});
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const {speak} = await import(`${pages}/i18n.js`), {learn, said} = await import(`${pages}/said.js`);

const sentences = new Set();
/* What stands before the advice; one word is a product's name, the same in every language. */
const named = (software) => { const name = software?.split(/[:;]/)[0]; return name?.includes(' ') ? name : null; };
for (const path of reads) {
  for (const alarm of JSON.parse(await readFile(path, 'utf8')).alarms) {
    for (const text of [alarm.why, alarm.acquittal, alarm.cure?.advice, ...alarm.timeline.map((e) => e.what), ...alarm.hosts.flatMap((h) => [h.software, named(h.software), ...h.evidence.map((e) => e.said)])])
      sentences.add(text);
  }
}
sentences.delete(null);
sentences.delete(undefined);
const {phrases, sentences: forms} = JSON.parse(await readFile(`${pages}/said.json`, 'utf8'));
const words = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
for (const [english, ...others] of [...forms, ...Object.values(phrases).flat()]) {
  assert.equal(others.length, 2);
  for (const other of others)
    assert.deepEqual(words(other), words(english), `the same values in: ${other}`);
}

let passed = 1, failed = 0;
for (language of ['fr', 'nl']) {
  await speak(() => {});
  await learn();
  for (const text of sentences) {
    const {text: other, lang} = said(text);
    if (lang === language && other !== text && !/\{|undefined|\b(mail|mails|people|raised|now|sent|to)\b/.test(other.replace(/\S+@\S+|\S+\.\S+|Subject: .*|objet : .*|onderwerp: .*|Cc ; Bcc|sendmail -t|To:|`.*?`/g, '')))
      passed++;
    else {
      failed++;
      console.log(`FAIL said: ${language}: ${text}\n  -> ${other}`);
    }
  }
  console.log(`said: ${said([...sentences][0]).text}`);
}
const hostile = `${'x and '.repeat(80)}<script>: (one host to ${'1,'.repeat(200)}`, from = Date.now();
assert.equal(said(hostile).text, hostile);
assert.ok(Date.now() - from < 10000, 'no sentence takes long');
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
