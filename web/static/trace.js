/* In: a Message-ID or an address, from the field or this page's own address.  Out: who gave the mail to whom, one entry a transaction, and
 * for each the way its copy had come. */

import {get, list} from './api.js';
import {byId, html, say} from './dom.js';
import {bytes, clock, millis, number, speak, t} from './i18n.js';
import {byWeight, hostName} from './words.js';

let asked = null, answer = null, fault = null, alarms = [];

/* What is asked: of a pasted header line or a log's "message-id=<...>" the id alone. */
const plain = (text) => text.trim().replace(/^message-id\s*[:=]\s*/i, '').replace(/^<(.*)>$/, '$1').trim();

function wanted() {
  const query = new URLSearchParams(location.search);
  for (const by of ['message_id', 'address', 'q']) {
    const text = plain(query.get(by) ?? '');
    if (text)
      return {text, by};
  }
  return null;
}

/* The alarm about a mail, and what it says of the host that sent it. */
const alarm_of = (hop) => (hop.message_id ? alarms.find((a) => a.message_id === hop.message_id) : null);
const role_of = (hop) => (alarm_of(hop)?.hosts ?? []).find((h) => h.address === hop.client.address && (h.role === 'reinjector' || h.role === 'looper'))?.role;

async function load() {
  const now = wanted();
  asked = now;
  answer = fault = null;
  byId('asked').value = now?.text ?? '';
  draw();
  if (!now)
    return;
  try {
    const [said, known] = await Promise.all([get(`/api/v1/trace?${now.by}=${encodeURIComponent(now.text)}`), get('/api/v1/alarms').catch(() => [])]);
    if (asked === now)
      [answer, alarms] = [said, list(known, 'alarms').sort(byWeight)];
  } catch (why) {
    if (asked === now)
      fault = why;
  }
  if (asked === now)
    draw();
}

/* ---- one transaction ---- */

/* 250 as the mail's, 550 as a recipient's; 0 where nobody saw it. */
const reply = (code) => html('span', {class: `tag ${code >= 200 && code < 300 ? 'clean' : code >= 500 ? 'major' : code >= 400 ? 'minor' : ''}`}, code ? String(code) : t('trace.no_reply'));
const is_again = (hop) => hop.redeliveries > 0;
const all_recipients = (hop) => hop.recipients.length + (hop.recipients_more ?? 0);
const end_name = (end) => html('span', {class: 'end'}, html('b', {}, hostName(end)), end.name && html('span', {class: 'mono soft'}, ` ${end.address}`));

/* The hosts a copy had passed, the oldest first, with how each had it from the one before. */
function way(hop) {
  const steps = hop.received ?? [];
  let before = null;
  return html('ol', {class: 'way'},
    steps.length > 0 && html('li', {}, html('span', {}, steps[0].from ?? steps[0].from_address ?? t('host.unknown'))),
    steps.map((r) => {
      const how = r.with ?? t('trace.by_itself'), fetched = /\b(pop3?s?|apop|imaps?|multidrop|fetchmail|getmail)\b/i.test(how);
      const late = before && r.date ? (millis(r.date) - millis(before)) / 1000 : 0;
      before = r.date ?? before;
      return html('li', {}, html('span', {class: fetched ? 'how storm-ink' : 'how soft'}, how), html('span', {}, r.by ?? r.from ?? t('host.unknown')),
        html('span', {class: 'soft'}, [r.date && clock(r.date), late >= 1 && `+${number(late)} ${t('unit.s')}`, r.id].filter(Boolean).join(' · ')));
    }),
    html('li', {class: 'here'}, html('span', {class: 'how soft'}, t('trace.here')), html('b', {}, `${hostName(hop.client)} → ${hostName(hop.server)}`), html('span', {class: 'soft'}, clock(hop.end))));
}

const described = (rows) => rows.filter(([, what]) => what).flatMap(([key, what]) => [html('dt', {}, t(key)), html('dd', {}, what)]);

function facts(hop) {
  const rows = [['trace.reverse_path', hop.from === '' ? '<>' : hop.from], ['mail.from', hop.header_from], ['mail.subject', hop.subject],
    ['mail.message_id', hop.message_id && html('a', {href: `/trace?message_id=${encodeURIComponent(hop.message_id)}`}, hop.message_id)], ['trace.user', hop.client.user],
    ['trace.bytes', bytes(hop.bytes ?? 0)], ['trace.tls', hop.tls !== 'none' && hop.tls], ['trace.bounce_of', hop.report?.quoted_message_id && html('a', {href: `/trace?message_id=${encodeURIComponent(hop.report.quoted_message_id)}`}, hop.report.quoted_message_id)]];
  return html('dl', {class: 'facts left'}, described(rows));
}

function recipients(hop) {
  return html('ul', {class: 'recipients'}, hop.recipients.map((r) => html('li', {}, reply(r.final_code ?? r.code), ' ', r.address ?? '')),
    hop.recipients_more > 0 && html('li', {class: 'soft'}, t('tree.more', {n: hop.recipients_more})));
}

function details(hop) {
  return html('div', {class: 'more'}, html('div', {}, html('h3', {}, t('trace.recipients')), recipients(hop), facts(hop)), html('div', {}, html('h3', {}, t('trace.way')), way(hop)));
}

function entry(hop) {
  const role = role_of(hop), n = all_recipients(hop);
  const open = html('details', {}, html('summary', {},
    html('time', {datetime: hop.end}, clock(hop.end)),
    html('span', {class: 'from-to'}, end_name(hop.client), html('span', {class: 'arrow', 'aria-hidden': 'true'}, '→'), end_name(hop.server)),
    html('span', {class: 'people'}, n === 1 ? hop.recipients[0]?.address ?? '' : t('trace.people', {n})),
    html('span', {class: 'marks'}, role && is_again(hop) && html('span', {class: 'tag major'}, t(`role.${role}`)),
      is_again(hop) && html('b', {class: 'storm-ink'}, t('tree.again', {n: hop.redeliveries})), hop.twin && html('span', {class: 'tag'}, t('trace.twin')),
      hop.uncertain && html('span', {class: 'tag'}, t('trace.uncertain')), reply(hop.code))));
  open.addEventListener('toggle', () => { /* a thousand of them: what nobody looks at is not made */
    if (open.open && open.children.length === 1)
      open.append(details(hop));
  });
  return html('li', {class: is_again(hop) ? 'again' : hop.code >= 400 ? 'refused' : ''}, open);
}

/* ---- the page ---- */

function outcome() {
  if (fault)
    return {403: t('trace.private'), 404: t('trace.none', {asked: asked.text})}[fault.status] ?? (fault.status ? fault.message : t('say.unreachable'));
  if (!asked)
    return t('trace.hint');
  if (!answer)
    return t('state.wait');
  const {hops, found} = answer, key = answer.by === 'address' ? 'trace.with_address' : 'trace.with_id';
  return [t(key, {n: found}), found > hops.length && t(answer.by === 'address' ? 'trace.latest' : 'trace.earliest', {n: hops.length}), answer.since && t('trace.since', {time: clock(answer.since)})].filter(Boolean).join(' ');
}

function mail() {
  const first = answer?.by === 'message_id' ? answer.hops[0] : null;
  byId('mail-card').hidden = !first;
  if (!first)
    return;
  const alarm = alarm_of(first)?.id;
  const rows = [['mail.subject', first.subject], ['mail.from', first.header_from ?? first.from], ['mail.message_id', first.message_id],
    ['mail.audience', first.audience ? t('mail.audience_only', {n: first.audience}) : null], ['mail.alarm', alarm && html('a', {href: `/alarms/${encodeURIComponent(alarm)}`}, alarm)]];
  byId('mail').replaceChildren(...described(rows));
}

function draw() {
  const hops = answer?.hops ?? [], again = hops.filter(is_again);
  say(byId('answer'), outcome());
  byId('answer').className = `answer ${fault ? 'squall-ink' : ''}`;
  byId('answer').removeAttribute('data-t');
  document.title = asked ? `${asked.text} · Squall` : `${t('nav.trace')} · Squall`;
  mail();
  byId('hops-card').hidden = !hops.length;
  byId('only-again').closest('label').hidden = !again.length || again.length === hops.length;
  say(byId('hops-count'), again.length ? t('trace.of_them_again', {n: again.length}) : '');
  byId('hops').replaceChildren(...(byId('only-again').checked && again.length ? again : hops).map(entry));
}

byId('search').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = plain(byId('asked').value);
  if (!text)
    return;
  history.pushState(null, '', `/trace?q=${encodeURIComponent(text)}`);
  load();
});
byId('only-again').addEventListener('change', draw);
window.addEventListener('popstate', load);
await speak(draw);
load();
