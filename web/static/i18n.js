/* In: en.json, fr.json, nl.json.  Out: the words of every page, numbers, times and durations as the reader's language writes them.  A page's
 * html carries English, so it can be read before this has run; elements with data-t get the text of that key. */

const LANGUAGES = ['en', 'fr', 'nl'];
const KEPT = 'squall.language';

let language = 'en', words = {}, fallback = {}, plural = new Intl.PluralRules('en');
const formats = new Map();

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; /* storage may be forbidden */
  }
}

async function dictionary(name) {
  const answer = await fetch(`/static/${name}.json`);
  if (!answer.ok)
    throw new Error(`${name}.json: ${answer.status}`);
  return answer.json();
}

function apply(root) {
  document.documentElement.lang = language;
  for (const node of root.querySelectorAll('[data-t]'))
    node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll('[data-t-label]'))
    node.setAttribute('aria-label', t(node.dataset.tLabel));
  for (const node of root.querySelectorAll('[data-language]'))
    node.setAttribute('aria-pressed', String(node.dataset.language === language));
}

/* Loads the words; then(), now and after each change of language, draws what a page has already drawn. */
export async function speak(redraw) {
  const change = async (wanted) => {
    language = LANGUAGES.includes(wanted) ? wanted : 'en';
    try {
      fallback = await dictionary('en');
      words = language === 'en' ? fallback : await dictionary(language);
    } catch {
      language = 'en'; /* the page's own English is there */
    }
    plural = new Intl.PluralRules(language);
    formats.clear();
    apply(document);
    redraw();
  };
  for (const button of document.querySelectorAll('[data-language]')) {
    button.addEventListener('click', () => {
      try {
        localStorage.setItem(KEPT, button.dataset.language);
      } catch { /* then the choice lasts as long as the page */ }
      change(button.dataset.language);
    });
  }
  const preferred = [kept(), ...navigator.languages.map((l) => l.slice(0, 2).toLowerCase()), document.documentElement.lang];
  await change(preferred.find((l) => LANGUAGES.includes(l)));
}

/* The text of a key; {name} in it stands for values[name], and values.n chooses between KEY.one and KEY.other. */
export function t(key, values = {}) {
  let text;
  if (typeof values.n === 'number')
    text = words[`${key}.${plural.select(values.n)}`] ?? words[`${key}.other`];
  text ??= words[key] ?? fallback[key] ?? fallback[`${key}.other`] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined || value === null ? '' : typeof value === 'number' ? number(value) : value;
  });
}

export const known = (key) => key in words || key in fallback;

function format(kind, options, make) {
  const key = kind + JSON.stringify(options);
  if (!formats.has(key))
    formats.set(key, make());
  return formats.get(key);
}

const locale = () => ({en: 'en-GB', fr: 'fr-BE', nl: 'nl-BE'}[language]);

export function number(n, digits = 0) {
  if (n === null || n === undefined || !Number.isFinite(n))
    return '–';
  const options = {minimumFractionDigits: digits, maximumFractionDigits: digits};
  return format('n', options, () => new Intl.NumberFormat(locale(), options)).format(n);
}

export function bytes(n) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let u = 0;
  while (n >= 1000 && u < units.length - 1) {
    n /= 1000;
    u++;
  }
  return `${number(n, u && n < 100 ? 1 : 0)} ${units[u]}`;
}

const moment = (text) => (text ? new Date(text.replace(/(\.\d{3})\d*/, '$1')) : null);

/* A time as the reader's clock shows it, with the date when it is not today's. */
export function clock(text, now = Date.now()) {
  const when = typeof text === 'string' ? moment(text) : text && new Date(text);
  if (!when || Number.isNaN(when.getTime()))
    return '–';
  const options = {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'};
  if (when.toDateString() !== new Date(now).toDateString())
    Object.assign(options, {day: 'numeric', month: 'short'});
  return format('c', options, () => new Intl.DateTimeFormat(locale(), options)).format(when);
}

export const millis = (text) => moment(text)?.getTime() ?? null;

/* "45 s", "3 min 19 s", "2 h 5 min", "3 d 4 h" */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  const parts = [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'min'], [60, 'min', 1, 's']].find(([big]) => s >= big);
  if (!parts)
    return `${s} s`;
  const [big, name, small, less] = parts, rest = Math.floor((s % big) / small);
  return `${Math.floor(s / big)} ${t(`unit.${name}`)}${rest ? ` ${rest} ${t(`unit.${less}`)}` : ''}`;
}

export const current = () => language;
