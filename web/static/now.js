/* In: status, alarms, messages and rates, from api.js.  Out: the page a person on call looks at first: calm, squall or storm, since when, who
 * does it, what stops it. */

import {follow, get, list} from './api.js';
import {Chart, RANGES} from './chart.js';
import {copy} from './copy.js';
import {byId, html, Rows, say} from './dom.js';
import {draw_graphs} from './graphs.js';
import {bytes, clock, duration, millis, number, speak, t} from './i18n.js';
import {learn} from './said.js';
import * as words from './words.js';

const NO_MAIL_AFTER = 600, ALARMS_SHOWN = 12, HOSTS_SHOWN = 6, MESSAGES_SHOWN = 7, WATCHED_SHOWN = 20;

const known = {alarms: new Map(), status: null, messages: null, watched: null, link: 'wait', rates: null, rates_at: 0, mail_at: null, sort: 'redeliveries', cured: null};
let chart, alarm_rows, host_rows, message_rows, watched_rows;

/* The sensor's clock: that of the packets, so a replayed storm counts its own minutes. */
function now() {
  const second = known.rates ? millis(known.rates.time) : millis(known.status?.capture?.last);
  return second ? second + (known.rates_at ? Math.min(Date.now() - known.rates_at, 2000) : 0) : Date.now();
}

const alarms = () => [...known.alarms.values()].sort(words.byWeight);

/* ---- the banner ---- */

function state() {
  if (known.status?.sensor?.alive === false)
    return 'lost';
  if (known.link === 'lost')
    return 'unreachable';
  if (!known.status)
    return 'wait';
  const worst = words.weather(alarms());
  return worst === 'calm' && quiet() ? 'quiet' : worst;
}

function quiet() {
  return known.status.smtp !== undefined && known.mail_at !== null && (now() - known.mail_at) / 1000 > NO_MAIL_AFTER;
}

async function copy_cure(button, id) {
  try {
    const alarm = await get(`/api/v1/alarms/${encodeURIComponent(id)}`), cure = alarm.cure ?? {};
    const text = cure.postfix ?? cure.exim ?? cure.exchange ?? cure.rspamd ?? cure.nft;
    if (text)
      await copy(button, text);
    else
      location.href = `/alarms/${encodeURIComponent(id)}#cure`;
  } catch {
    location.href = `/alarms/${encodeURIComponent(id)}#cure`;
  }
}

function actions(worst) {
  const place = byId('state-acts'), wanted = worst ? worst.id + document.documentElement.lang : '';
  if (place.dataset.of === wanted)
    return;
  place.dataset.of = wanted;
  const path = worst && `/alarms/${encodeURIComponent(worst.id)}`;
  place.replaceChildren(...(worst ? [
    html('a', {class: 'btn main', href: path}, t('act.proof')),
    html('button', {class: 'btn', type: 'button', onclick: (e) => copy_cure(e.currentTarget, worst.id)}, t('act.cure')),
  ] : []));
}

function show_line(id, ...parts) {
  const line = byId(id), text = parts.filter(Boolean).map((p) => p.text ?? p);
  line.hidden = !text.join('');
  if (line.dataset.said !== text.join('\n')) {
    line.dataset.said = text.join('\n');
    line.replaceChildren(...parts.filter(Boolean).map((p) => (p.text ? html('b', {lang: p.lang}, `${p.text} `) : `${p} `)));
  }
}

function banner() {
  const is = state(), worst = is === 'storm' || is === 'squall' ? alarms().find((a) => words.active(a)) : null;
  byId('state').className = `state ${is}`;
  say(byId('state-word'), t(`state.${is}`));
  document.title = is === 'calm' ? 'Squall' : `${t(`state.${is}`)} · Squall`;
  if (worst) {
    const not = words.acquittal(worst);
    show_line('state-who', {text: words.headline(worst)}, t('facts.since', {time: clock(worst.first_seen, now())}), words.figures(worst),
      worst.state === 'acknowledged' && t('facts.acknowledged'));
    show_line('state-not', not?.who && {text: not.who}, not && (not.lang ? {text: not.what, lang: not.lang} : not.what));
    show_line('state-next', words.forecast(worst, now()));
  } else {
    const over = alarms().find((a) => !words.active(a) && words.rank(a) > 0), smtp = known.status?.smtp;
    show_line('state-who', {text: t(`say.${is}`, {time: clock(known.mail_at, now())})}, is === 'calm' && over?.cleared && t('say.since', {time: clock(over.cleared, now())}));
    show_line('state-not');
    show_line('state-next', is === 'calm' && smtp ? t('say.watching', {sessions: number(smtp.sessions), messages: number(smtp.messages), recipients: number(smtp.recipients)})
      : is === 'quiet' ? t('say.quiet_check') : is === 'lost' ? known.status.sensor.why ?? '' : '');
  }
  actions(worst);
  say(byId('state-lasts'), worst && now() > millis(worst.first_seen) ? t('facts.lasts', {time: duration((now() - millis(worst.first_seen)) / 1000)}) : '');
}

/* ---- the lists ---- */

const cell = (text, again) => html('td', {class: again ? 'n storm-ink' : 'n'}, text);

function alarm_row(a) {
  return [
    html('td', {}, html('span', {class: `tag ${words.active(a) ? a.severity : 'over'}`}, words.active(a) ? words.severity(a) : t('alarm.over'))),
    html('td', {class: 'wide'}, html('a', {href: `/alarms/${encodeURIComponent(a.id)}`}, words.headline(a)),
      html('span', {class: 'soft line'}, [a.from, a.state === 'acknowledged' && t('alarm.acknowledged')].filter(Boolean).join(' · '))),
    html('td', {class: 'when'}, clock(a.first_seen, now())),
    cell(a.deliveries ? number(a.deliveries) : '–'), cell(a.deliveries ? number(a.redeliveries) : '–', a.redeliveries > 0)];
}

function host_row(h) {
  return [html('td', {class: 'wide'}, html('b', {}, words.hostName(h)), html('span', {class: 'soft line', title: h.runs}, [h.name ? h.address : null, h.runs].filter(Boolean).join(' · '))),
    cell(number(h.deliveries)), cell(number(h.redeliveries), h.redeliveries > 0), cell(h.taken === undefined ? '–' : number(h.taken))];
}

/* Why: what it did, and the line in which it says so itself. */
function watched_row(h) {
  return [html('td', {}, html('b', {}, words.hostName(h)), html('span', {class: 'soft line'}, [h.name ? h.address : null, h.domain && t('watched.serves', {domain: h.domain})].filter(Boolean).join(' · '))),
    html('td', {class: 'why'}, html('span', {}, t('watched.why', {n: h.mails, people: number(h.recipients)})), h.received && html('code', {class: 'line soft'}, h.message_id ? html('a', {href: words.trace(h.message_id)}, h.received) : h.received)),
    html('td', {class: 'when'}, clock(h.first, now())), html('td', {class: 'when'}, clock(h.last, now()))];
}

function message_row(m) {
  const subject = m.subject || t('mail.no_subject');
  return [html('td', {class: 'wide'}, m.alarm ? html('a', {href: `/alarms/${encodeURIComponent(m.alarm)}`}, subject) : html('span', {}, subject), html('span', {class: 'soft line', title: m.from}, m.message_id && [html('a', {href: words.trace(m.message_id), 'aria-label': t('trace.link_label', {id: m.message_id})}, t('trace.link')), ' · '], m.from ?? '')),
    cell(number(m.copies)), cell(number(m.recipients)), cell(number(m.redeliveries), m.redeliveries > 0)];
}

/* Hosts that were published, else those of the alarms; what they run stands in the alarms alone. */
function hosts() {
  const found = new Map(), key = (h) => h.address ?? h.name;
  for (const h of list(known.messages, 'hosts'))
    found.set(key(h), {address: h.address, name: h.name, deliveries: h.deliveries, redeliveries: h.redeliveries, taken: h.recipients_in});
  const published = found.size > 0;
  for (const alarm of known.alarms.values()) {
    for (const h of words.active(alarm) ? alarm.hosts ?? [] : []) {
      const host = found.get(key(h));
      if (host && h.software)
        host.runs = words.runs(h);
      else if (!published && h.deliveries && !host)
        found.set(key(h), {address: h.address, name: h.name, deliveries: h.deliveries, redeliveries: h.redeliveries, runs: words.runs(h)});
    }
  }
  return [...found.values()].filter((h) => h.deliveries > 0).sort((a, b) => b.redeliveries - a.redeliveries || b.deliveries - a.deliveries).slice(0, HOSTS_SHOWN);
}

function messages() {
  const rows = known.sort === 'rate' && known.messages?.by_rate ? known.messages.by_rate : list(known.messages, 'messages');
  const alarm_of = new Map([...known.alarms.values()].filter((a) => a.message_id && words.rank(a) > 0).map((a) => [a.message_id, a.id]));
  return rows.slice(0, MESSAGES_SHOWN).map((m) => ({...m, alarm: alarm_of.get(m.message_id) ?? null}));
}

function lists() {
  const all = alarms(), active = all.filter(words.active).length, people = hosts(), mails = messages();
  alarm_rows.show(all.slice(0, ALARMS_SHOWN));
  say(byId('alarms-count'), all.length ? t('alarms.active', {n: active}) : '');
  host_rows.show(people);
  message_rows.show(mails);
  watched_rows.show(list(known.watched, 'watched').slice(0, WATCHED_SHOWN));
  byId('alarms-empty').hidden = all.length > 0;
  byId('hosts-empty').hidden = people.length > 0;
  byId('messages-empty').hidden = mails.length > 0;
  byId('watched-empty').hidden = list(known.watched, 'watched').length > 0;
  chart.mark(all.filter((a) => words.rank(a) > 0 && words.active(a)).slice(0, 8).map((a) => (
    {time: millis(a.raised), label: `${clock(a.raised, now())} ${words.severity(a)}`, severity: words.rank(a) >= 3 ? 'storm' : 'squall'})));
}

/* ---- the sensor ---- */

function sensor_facts() {
  const s = known.status ?? {}, c = s.capture ?? {}, m = s.smtp ?? {}, facts = [];
  const say_that = (key, text, good = true, name = null) => facts.push({key, name, text, good});
  if (s.sensor)
    say_that('sensor.process', t(s.sensor.alive ? 'sensor.alive' : 'sensor.dead'), s.sensor.alive);
  if (c.packets !== undefined) {
    const lost = packets_lost(s);
    say_that('sensor.lost', t('sensor.lost_of', {lost: number(lost), packets: number(c.packets)}), lost === 0);
    const copies = c.mirror_copies ?? 1, half = c.flows ? (c.one_sided_flows ?? 0) / c.flows : 0;
    say_that('sensor.mirror', half > 0.5 ? t('sensor.one_sided') : copies > 1.5 ? t('sensor.copies', {copies: number(copies, 1)}) : t('sensor.mirror_good'), half <= 0.5 && copies <= 1.5);
    say_that('sensor.read', bytes(c.bytes ?? 0));
    say_that('sensor.flows', c.flows_evicted ? t('sensor.flows_evicted', {flows: number(c.flows), evicted: number(c.flows_evicted)}) : number(c.flows), !c.flows_evicted);
    if (c.tunnelled || c.vlan)
      say_that('sensor.wrapped', t('sensor.wrapped_in', {vlan: number(c.vlan ?? 0), tunnelled: number(c.tunnelled ?? 0)}));
  }
  if (m.sessions !== undefined)
    say_that('sensor.encrypted', m.sessions ? t('sensor.share', {share: number(100 * (m.tls_sessions ?? 0) / m.sessions), sessions: number(m.sessions)}) : t('sensor.no_sessions'));
  if (s.evidence_passed_over)
    say_that('sensor.evidence', t('sensor.passed_over', {n: number(s.evidence_passed_over)}), false);
  if (typeof s.lag_seconds === 'number')
    say_that('sensor.lag', `${number(s.lag_seconds, 1)} s`, s.lag_seconds < 5);
  const memory = typeof s.memory === 'object' ? s.memory?.bytes ?? s.memory?.used : s.memory;
  if (typeof memory === 'number')
    say_that('sensor.memory', bytes(memory));
  if (s.graphs?.trouble)
    say_that('sensor.graphs', s.graphs.trouble, false);
  for (const channel of list(s.channels, 'channels'))
    say_that(null, channel.failing ? t('sensor.failing', {why: channel.error ?? ''}) : t(channel.confirmed ? 'sensor.confirmed' : 'sensor.sent', {n: channel.delivered ?? channel.sent ?? 0}), !channel.failing, channel.name);
  return facts;
}

/* Whatever was not counted though it came: dropped by kernel or card, or a mail for which there was no room on the way to the counts. */
function packets_lost(s) {
  const c = s.capture ?? {};
  return (c.kernel_drops ?? 0) + (c.interface_drops ?? 0) + (s.records_lost ?? 0);
}

function sensor() {
  const s = known.status ?? {}, c = s.capture ?? {}, place = byId('sensor-rows');
  const facts = sensor_facts();
  const state_text = JSON.stringify(facts) + document.documentElement.lang;
  if (place.dataset.state !== state_text) {
    place.dataset.state = state_text;
    place.replaceChildren(...facts.flatMap((f) => [html('dt', {}, f.key ? t(f.key) : f.name), html('dd', {class: f.good ? '' : 'bad'}, f.text)]));
  }
  const lost = packets_lost(s), light = byId('lost');
  light.className = `hide-s light ${lost ? 'warn' : 'good'}`;
  light.hidden = c.packets === undefined;
  say(light, t('sensor.lost_short', {lost: number(lost)}));
}

/* ---- what comes in ---- */

/* The pictures of the past, while somebody looks at them. */
function past() {
  const place = byId('past');
  place.hidden = known.status?.graphs === null;
  if (place.open && !document.hidden)
    draw_graphs(place);
}

function draw() {
  banner();
  lists();
  sensor();
  const light = byId('link');
  light.className = `light ${known.link === 'live' ? 'good' : known.link === 'wait' ? 'wait' : known.link === 'polling' ? 'warn' : 'bad'}`;
  say(light, t(`link.${known.link}`));
  past();
  byId('chart-empty').hidden = chart.rows.length > 0;
}

let asked = false;
function soon() { /* many events, one picture */
  if (!asked) {
    asked = true;
    setTimeout(() => { asked = false; draw(); }, 80);
  }
}

async function ask_messages() {
  [known.messages, known.watched] = await Promise.all([get(`/api/v1/messages?sort=${known.sort}`), get('/api/v1/watched')]);
}

async function ask_rates(range = chart.range) {
  const [seconds, step] = RANGES[range], to = Math.ceil(now() / 1000);
  try {
    chart.load(range, await get(`/api/v1/rates?from=${to - seconds}&to=${to}&step=${step}`));
  } catch { /* the curve grows from the events then */
    chart.load(range, []);
  }
}

async function poll() {
  known.status = await get('/api/v1/status');
  const answer = list(await get('/api/v1/alarms'), 'alarms');
  known.alarms = new Map(answer.map((a) => [a.id, a]));
  await ask_messages();
  const first = answer.map((a) => a.updated).concat(list(known.messages, 'messages').map((m) => m.last)).filter(Boolean).map(millis);
  if (first.length)
    known.mail_at = Math.max(known.mail_at ?? 0, ...first);
  else
    known.mail_at ??= millis(known.status.capture?.first) ?? Date.now();
  if (!chart.rows.length || known.link !== 'live')
    await ask_rates();
  draw();
}

const pressed = (group, name, value) => {
  for (const button of document.querySelectorAll(`[data-${group}]`))
    button.setAttribute('aria-pressed', String(button.dataset[name] === value));
};

function start() {
  chart = new Chart(byId('chart'), byId('readout'));
  alarm_rows = new Rows(byId('alarm-rows'), 'tr', (a) => a.id, alarm_row);
  host_rows = new Rows(byId('host-rows'), 'tr', (h) => h.address ?? h.name, host_row);
  watched_rows = new Rows(byId('watched-rows'), 'tr', (h) => h.address, watched_row);
  message_rows = new Rows(byId('message-rows'), 'tr', (m) => `${m.message_id} ${m.first}`, message_row);
  for (const button of document.querySelectorAll('[data-range]')) {
    button.addEventListener('click', () => {
      pressed('range', 'range', button.dataset.range);
      ask_rates(button.dataset.range).then(draw);
    });
  }
  for (const button of document.querySelectorAll('[data-sort]')) {
    button.addEventListener('click', () => {
      known.sort = button.dataset.sort;
      pressed('sort', 'sort', known.sort);
      ask_messages().then(draw, () => {});
    });
  }
  byId('past').addEventListener('toggle', past);
  follow({
    rates(r) {
      known.rates = r;
      known.rates_at = Date.now();
      if (r.messages > 0)
        known.mail_at = millis(r.time);
      chart.push(r);
      soon();
    },
    alarm(a) {
      if (!a?.id)
        return;
      known.alarms.set(a.id, {...known.alarms.get(a.id), ...a});
      soon();
    },
    link(state_now) {
      known.link = state_now;
      soon();
    },
    poll,
  });
  setInterval(() => {
    say(byId('clock'), clock(now(), now()));
    if (known.status)
      banner();
  }, 1000);
  setInterval(() => {
    if (known.link === 'live' && !document.hidden)
      Promise.all([get('/api/v1/status').then((s) => { known.status = s; }), ask_messages()]).then(soon, () => {});
  }, 3000);
}

function redraw() {
  if (!chart)
    return start();
  for (const rows of [alarm_rows, host_rows, message_rows, watched_rows])
    rows.redraw();
  return draw();
}

await speak(() => learn().then(redraw, redraw));
