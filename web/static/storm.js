/* In: one alarm, from api.js.  Out: its page: verdict and acquittal, how it spread, what stops it, what comes next, and the proof. */

import {acknowledge, follow, get} from './api.js';
import {copy} from './copy.js';
import {byId, html, Rows, say, svg} from './dom.js';
import {draw_graphs} from './graphs.js';
import {bytes, clock, duration, known, millis, number, speak, t} from './i18n.js';
import {Reveal} from './reveal.js';
import {learn, said} from './said.js';
import {tree} from './tree.js';
import * as words from './words.js';

const CURES = ['postfix', 'postfix_clients', 'exim', 'exchange', 'rspamd', 'nft'];
const path = decodeURIComponent(location.pathname.split('/')[2] ?? '');
const here = `/alarms/${encodeURIComponent(path)}`;

let alarm = null, proof = null, revealed = null, chosen = null, rates = null, rates_at = 0, busy = false, fault = null;

/* The sensor's clock; while no second comes in, that of the alarm. */
function now() {
  return rates ? millis(rates.time) + Math.min(Date.now() - rates_at, 2000) : Date.now();
}

/* A sentence of the sensor, in the reader's language where that can be. */
function sentence(english) {
  const {text, lang} = said(english);
  return html('span', {lang}, text);
}

function verdict() {
  const a = alarm, is = !words.active(a) ? 'over' : words.rank(a) >= 3 ? 'storm' : words.rank(a) > 0 ? 'squall' : 'noted', not = words.acquittal(a);
  byId('verdict').className = `state ${is}`;
  byId('severity').className = `tag ${words.active(a) ? a.severity : 'over'}`;
  say(byId('severity'), words.active(a) ? words.severity(a) : t('alarm.over'));
  say(byId('verdict-who'), words.headline(a));
  document.title = `${words.headline(a)} · Squall`;
  const line = byId('verdict-not'), said = not ? `${not.who} ${not.what}` : '';
  line.hidden = !not;
  if (line.dataset.said !== said) {
    line.dataset.said = said;
    line.replaceChildren(...(not ? [not.who && html('b', {}, `${not.who} `), not.lang ? html('span', {lang: not.lang}, not.what) : not.what].filter(Boolean) : []));
  }
  const parts = [t('facts.since', {time: clock(a.first_seen, now())}), words.figures(a)];
  if (a.cleared)
    parts.push(t('facts.over', {time: clock(a.cleared, now()), lasted: duration((millis(a.cleared) - millis(a.first_seen)) / 1000)}));
  else if (a.state === 'acknowledged')
    parts.push(t('facts.acknowledged'));
  if (fault)
    parts.push(t('act.failed', {why: fault}));
  say(byId('verdict-facts'), parts.filter(Boolean).join(' '));
  const button = byId('acknowledge');
  button.hidden = a.state !== 'raised';
  button.disabled = busy;
  byId('report').href = `${here}/report`;
  byId('evidence').href = `${here}/evidence.pcapng`;
}

function figures() {
  const a = alarm, b = a.blast_radius ?? {}, shown = [];
  const add = (key, text, bad) => shown.push(html('div', {}, html('b', {class: bad ? 'storm-ink' : ''}, text), html('span', {}, t(`figure.${key}`))));
  if (a.copies)
    add('copies', number(a.copies));
  add('deliveries', number(a.deliveries));
  if (a.redeliveries)
    add('again', number(a.redeliveries), true);
  add('people', number(b.recipients || a.recipients));
  if (b.most_copies_a_recipient > 1)
    add('most', number(b.most_copies_a_recipient));
  if (typeof a.reproduction === 'number')
    add(a.reproduction_reckoned ? 'reproduction_least' : 'reproduction', number(a.reproduction, 1), a.reproduction >= 1);
  if (b.peak_rate > 0)
    add('peak', number(b.peak_rate, b.peak_rate < 10 ? 1 : 0));
  if (b.bytes)
    add('bytes', bytes(b.bytes));
  byId('figures').replaceChildren(...shown);
}

let room = 0;
function picture() {
  const place = byId('tree');
  room = place.clientWidth;
  const drawn = tree(alarm, room);
  byId('tree-card').hidden = !drawn;
  place.replaceChildren(...(drawn ? [drawn] : []));
}

function course() {
  const card = byId('course');
  card.querySelector('[data-title]').dataset.graph = `alarm/${path}`;
  card.hidden = words.rank(alarm) === 0; /* of a notice no course is kept */
  if (!card.hidden)
    draw_graphs(card, (there) => { card.hidden = !there; });
}

/* ---- what stops it ---- */

function cure() {
  const texts = alarm.cure ?? {}, targets = CURES.filter((c) => texts[c]);
  byId('cure-advice').replaceChildren(texts.advice ? sentence(texts.advice) : t('cure.none'));
  byId('cure-panel').hidden = !targets.length;
  if (!targets.includes(chosen))
    chosen = targets[0] ?? null;
  const tabs = byId('cure-tabs'), focused = tabs.contains(document.activeElement);
  tabs.replaceChildren(...targets.map((c) => html('button', {type: 'button', role: 'tab', id: `tab-${c}`, 'aria-controls': 'cure-panel',
    'aria-selected': String(c === chosen), tabindex: c === chosen ? 0 : -1, onclick: () => choose(c), onkeydown: (e) => step(e, targets)}, t(`cure.${c}`))));
  if (chosen) {
    say(byId('cure-text'), texts[chosen]);
    byId('cure-panel').setAttribute('aria-labelledby', `tab-${chosen}`);
  }
  if (focused)
    byId(`tab-${chosen}`)?.focus();
}

function choose(target) {
  chosen = target;
  cure();
  byId(`tab-${target}`).focus();
}

function step(event, targets) {
  const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (by)
    choose(targets[(targets.indexOf(chosen) + by + targets.length) % targets.length]);
}

/* ---- what comes next ---- */

function bars(room) {
  const a = alarm, f = a.forecast, sent = words.origin(a)?.deliveries ?? 0, W = Math.max(240, Math.min(room, 520)), H = 150;
  const list = [sent && {name: t('round.sent'), n: sent, time: a.first_seen, look: 'a-first'}, a.redeliveries && {name: t('round.again'), n: a.redeliveries, time: a.updated, look: 'a-again'},
    f && words.active(a) && {name: t('round.next'), n: f.deliveries, time: f.at, look: 'forecast', about: true}].filter(Boolean);
  const most = Math.max(1, ...list.map((b) => b.n)), step = W / Math.max(1, list.length), wide = Math.min(86, step * 0.66);
  return svg('svg', {viewBox: `0 0 ${W} ${H + 36}`, width: W, height: H + 36, role: 'img', 'aria-label': list.map((b) => `${b.name}: ${number(b.n)}`).join('; ')},
    svg('defs', {}, svg('pattern', {id: 'hatch', width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)'}, svg('rect', {class: 'hatch', width: 2.2, height: 6}))),
    list.map((b, i) => {
      const x = step * (i + 0.5), h = Math.max(3, (H - 26) * b.n / most);
      return svg('g', {}, svg('rect', {class: b.look, x: x - wide / 2, y: H - h, width: wide, height: h, rx: 3}),
        svg('text', {class: 'lbl', x, y: H - h - 7, 'text-anchor': 'middle'}, `${b.about ? '≈ ' : ''}${number(b.n)}`),
        svg('text', {class: 'sub', x, y: H + 17, 'text-anchor': 'middle'}, b.name),
        svg('text', {class: 'sub', x, y: H + 32, 'text-anchor': 'middle'}, clock(b.time, now())));
    }),
    svg('line', {class: 'axis', x1: 0, x2: W, y1: H, y2: H}));
}

function rounds() {
  const a = alarm, known_r = typeof a.reproduction === 'number';
  byId('rounds').hidden = !known_r && !a.forecast && !a.redeliveries;
  if (byId('rounds').hidden)
    return;
  const lines = [];
  if (known_r)
    lines.push(html('p', {}, html('b', {class: a.reproduction >= 1 ? 'storm-ink' : ''}, `R ${a.reproduction_reckoned ? '≥' : '='} ${number(a.reproduction, 1)}`), ' ',
      t(a.reproduction_reckoned ? 'round.least' : a.reproduction >= 1 ? 'round.grows' : 'round.dies', {r: number(a.reproduction, 1)}),
      a.generation_seconds ? ` ${t('round.each', {every: a.generation_seconds < 10 ? `${number(a.generation_seconds, 1)} ${t('unit.s')}` : duration(a.generation_seconds)})}` : ''));
  else
    lines.push(html('p', {class: 'soft'}, t('round.unknown')));
  if (a.forecast && words.active(a))
    lines.push(html('p', {class: 'count-down'}, html('span', {id: 'count-down', role: 'timer'}), ` ${t('round.of', {n: a.forecast.deliveries})}`));
  if (typeof a.generations_left === 'number' && words.active(a))
    lines.push(html('p', {class: 'soft'}, t('round.left', {n: a.generations_left})));
  const place = byId('round');
  place.replaceChildren(...lines, bars(byId('rounds').clientWidth - 42));
  count_down();
}

function count_down() {
  const place = byId('count-down');
  if (!place || !alarm?.forecast)
    return;
  const left = (millis(alarm.forecast.at) - now()) / 1000;
  say(place, left > 0 ? t('round.in', {left: duration(left)}) : t('round.due', {time: clock(alarm.forecast.at, now())}));
}

/* ---- the proof ---- */

function evidence(e) {
  return html('li', {}, sentence(e.said ?? ''), e.received && html('code', {class: 'line'}, e.received),
    html('span', {class: 'soft line'}, [clock(e.time, now()), e.client && e.server && `${e.client} → ${e.server}`, e.connection ? t('proof.on_wire') : t('proof.header_only')].filter(Boolean).join(' · ')));
}

function proof_row(h) {
  const bad = h.role === 'reinjector' || h.role === 'looper', clean = h.role === 'origin' && !h.redeliveries, more = (h.evidence ?? []).slice(1);
  return [html('td', {}, html('b', {}, words.hostName(h)), h.name && h.address && html('span', {class: 'mono soft line'}, h.address)),
    html('td', {}, html('span', {class: `tag ${bad ? 'critical' : clean ? 'clean' : ''}`}, clean ? t('role.origin_clean') : t(`role.${h.role}`)), !h.on_wire && html('span', {class: 'soft line'}, t('proof.header_only'))),
    html('td', {class: 'when'}, clock(h.first, now())), html('td', {class: 'n'}, number(h.copies)), html('td', {class: h.redeliveries ? 'n storm-ink' : 'n'}, number(h.redeliveries)),
    html('td', {class: 'why'}, h.evidence?.length ? html('ul', {}, evidence(h.evidence[0])) : html('span', {class: 'soft'}, clean ? t('tree.once', {n: h.deliveries}) : t('proof.took', {n: h.recipients_in ?? 0})),
      more.length > 0 && html('details', {}, html('summary', {}, t('proof.more', {n: more.length})), html('ul', {}, more.map(evidence))),
      h.software && html('p', {class: 'advice'}, html('b', {}, t('proof.runs')), ' ', sentence(h.told ? words.runs(h) : h.software)))];
}

function details() {
  const a = alarm, hosts = a.hosts ?? [], roles = {};
  for (const h of hosts)
    roles[h.role] = (roles[h.role] ?? 0) + 1;
  say(byId('proof-count'), [...Object.entries(roles).map(([role, n]) => t(`roles.${role}`, {n})), a.hosts_more && t('tree.more', {n: a.hosts_more})].filter(Boolean).join(', '));
  const told = new Set(); /* the same advice stands once */
  proof.show(hosts.map((h) => ({...h, told: told.has(h.software) || !told.add(h.software)})));
  byId('why').replaceChildren(sentence(a.why ?? ''));
  byId('timeline').replaceChildren(...(a.timeline ?? []).map((e) => html('li', {}, html('time', {datetime: e.time}, clock(e.time, now())), sentence(e.what ?? ''))));
  const facts = [['subject', a.subject], ['from', a.from], ['message_id', a.message_id && html('a', {href: words.trace(a.message_id)}, a.message_id)], ['thread', a.thread], ['victim', a.victim],
    ['audience', a.blast_radius?.audience ? t(a.blast_radius.audience_domains ? 'mail.audience_of' : 'mail.audience_only', {n: a.blast_radius.audience, domains: number(a.blast_radius.audience_domains)}) : null], ['kind', known(`kind.${a.kind}`) ? t(`kind.${a.kind}`) : a.kind], ['alarm', a.id], ['first', a.first_seen], ['raised', a.raised], ['updated', a.updated]];
  byId('mail').replaceChildren(...facts.filter(([, v]) => v).flatMap(([k, v]) => [html('dt', {}, t(`mail.${k}`)), html('dd', {}, v)]));
}

function draw() {
  byId('page').classList.remove('waiting');
  verdict();
  figures();
  picture();
  course();
  cure();
  rounds();
  details();
  revealed.draw();
}

function missing(why) {
  byId('page').className = 'broken';
  byId('verdict').className = 'state lost';
  say(byId('severity'), '');
  say(byId('verdict-who'), t(why?.status === 404 ? 'alarm.missing' : 'state.unreachable'));
  say(byId('verdict-facts'), why?.status === 404 ? t('alarm.missing_why', {id: path}) : t('say.unreachable'));
}

async function load() {
  try {
    alarm = revealed.take(await get(`/api/v1${here}`));
  } catch (why) {
    if (!alarm)
      missing(why);
    throw why;
  }
  draw();
}

async function confirm() {
  busy = true;
  fault = null;
  verdict();
  try {
    await acknowledge(path);
    alarm.state = 'acknowledged';
  } catch (why) {
    fault = why.message;
  }
  busy = false;
  verdict();
  if (!fault)
    byId('verdict').focus();
}

function start() {
  proof = new Rows(byId('proof-rows'), 'tr', (h) => `${h.address} ${h.name} ${h.role}`, proof_row);
  revealed = new Reveal(byId('reveal'), path, () => {
    alarm = revealed.take(revealed.masked);
    draw();
  });
  byId('acknowledge').addEventListener('click', confirm);
  byId('cure-copy').addEventListener('click', (e) => copy(e.currentTarget, byId('cure-text').textContent));
  follow({
    rates(r) {
      rates = r;
      rates_at = Date.now();
    },
    alarm(a) {
      if (a?.id === path && alarm)
        load().catch(() => {}); /* an event tells that it changed; the answer has its cure too */
    },
    link(state) {
      byId('link').className = `light ${{live: 'good', polling: 'warn', lost: 'bad'}[state] ?? 'wait'}`;
      byId('link').dataset.t = `link.${state}`;
      say(byId('link'), t(`link.${state}`));
    },
    poll: load,
  });
  setInterval(count_down, 1000);
  new ResizeObserver(() => {
    if (alarm && Math.abs(byId('tree').clientWidth - room) > 1 && byId('tree').clientWidth)
      picture();
  }).observe(byId('page'));
}

function redraw() {
  if (!proof)
    start();
  else if (alarm) {
    proof.redraw();
    draw();
  }
}

await speak(() => learn().then(redraw, redraw));
