/* In: a sentence of the sensor, which writes English.  Out: the same in the reader's language, where said.json has its form; else the
 * sentence as it came.
 *
 * In a form {n}, {n2} are numbers, {time} a moment, {severity} and {kind} words of the alarm, {sentence} another sentence, the names of
 * "phrases" one of these, and all else is anything: a host, an address.  The first form that fits counts. */

import {clock, current, known, number, t} from './i18n.js';

const COUNT = /^n\d*$/, CUT = 240; /* from so many characters on a sentence may have been cut off at its end */
let forms = null;

const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function form([english, ...others], phrases) {
  const names = [], part = (name) => {
    names.push(name);
    if (COUNT.test(name))
      return '([\\d.,]+)';
    if (phrases[name])
      return `(${phrases[name].map(([text]) => literal(text)).join('|')})`;
    return {time: '(\\d{4}-[\\d-]+T[\\d:.]+Z)', severity: '([a-z]+)', kind: '([a-z-]+)', kind2: '([a-z-]+)'}[name] ?? '(.+?)';
  };
  const source = english.split(/\{(\w+)\}/).map((text, i) => (i % 2 ? part(text) : literal(text))).join('');
  return {pattern: new RegExp(`^${source}$`, 's'), names, texts: [english, ...others]};
}

/* Loads the forms, unless the reader's language is the sensor's. */
export async function learn() {
  if (forms || current() === 'en')
    return;
  const answer = await fetch('/static/said.json');
  const {languages, phrases, sentences} = await answer.json();
  const ends = [...Object.values(phrases).flat(), ...sentences].map(([text]) => text).filter((text) => !text.includes('{') && text.length > 12);
  forms = {languages, phrases, ends, sentences: sentences.map((s) => form(s, phrases))};
}

function value(name, text, place) {
  if (COUNT.test(name)) {
    const plain = text.replace(/,/g, '');
    return number(Number(plain), (plain.split('.')[1] ?? '').length);
  }
  if (forms.phrases[name])
    return forms.phrases[name].find(([english]) => english === text)[place];
  if (name === 'time')
    return clock(text);
  if (name === 'severity')
    return t(`severity.${text}`);
  if (name === 'kind' || name === 'kind2')
    return known(`kind.${text}`) ? t(`kind.${text}`) : text;
  return name === 'sentence' ? translated(text, place) : text;
}

function exactly(text, place) {
  for (const {pattern, names, texts} of forms.sentences) {
    const found = pattern.exec(text);
    if (!found)
      continue;
    const values = Object.fromEntries(names.map((name, i) => [name, value(name, found[i + 1], place)]));
    if (Object.values(values).every((v) => v !== null))
      return texts[place].replace(/\{(\w+)\}/g, (whole, name) => values[name]);
  }
  return null;
}

/* A cut sentence that stops within a phrase is tried with the phrase whole. */
function translated(text, place) {
  const plain = text.replace(/ {2,}/g, ' ').replace(/…$/, '').trimEnd(), whole = exactly(plain, place);
  if (whole !== null || plain.length < CUT)
    return whole;
  for (const end of forms.ends) {
    for (let n = end.length; n >= 10; n--) {
      const completed = plain.endsWith(end.slice(0, n)) && (exactly(`${plain}${end.slice(n)}.`, place) ?? exactly(`${plain}${end.slice(n)}`, place));
      if (completed)
        return completed;
    }
  }
  return null;
}

/* {text, lang}: lang is 'en' where the sentence stayed English. */
export function said(text) {
  const place = forms ? forms.languages.indexOf(current()) : -1, found = place > 0 && text ? translated(text, place) : null;
  return found === null ? {text: text ?? '', lang: 'en'} : {text: found, lang: current()};
}
