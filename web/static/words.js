/* In: alarm objects.  Out: the sentences about them, in the reader's language; to both pages. */

import {clock, known, number, t} from './i18n.js';
import {said} from './said.js';

const RANK = {notice: 0, warning: 1, minor: 2, major: 3, critical: 4};

export const rank = (alarm) => RANK[alarm.severity] ?? 0;
export const active = (alarm) => alarm.state !== 'cleared';
export const hostName = (host) => host?.name || host?.address || t('host.unknown');
export const guilty = (alarm) => (alarm.hosts ?? []).filter((h) => h.role === 'reinjector' || h.role === 'looper');
export const origin = (alarm) => (alarm.hosts ?? []).find((h) => h.role === 'origin');
export const mail = (alarm) => (alarm.subject ? t('mail.titled', {subject: alarm.subject}) : t('mail.untitled'));
export const trace = (message_id) => `/trace?message_id=${encodeURIComponent(message_id)}`;
export const severity = (alarm) => t(`severity.${alarm.severity}`);

/* calm, squall or storm: what the worst of the alarms makes of the moment */
export function weather(alarms) {
  const worst = Math.max(0, ...alarms.filter(active).map(rank));
  return worst >= RANK.major ? 'storm' : worst > RANK.notice ? 'squall' : 'calm';
}

/* The worst first; of two as bad, the one with more sent again, then the younger. */
export function byWeight(a, b) {
  return Number(active(b)) - Number(active(a)) || rank(b) - rank(a) || (b.redeliveries ?? 0) - (a.redeliveries ?? 0)
    || String(b.raised).localeCompare(String(a.raised));
}

/* Who does what: one sentence. */
export function headline(alarm) {
  const at_fault = guilty(alarm), n = (at_fault.length || (alarm.hosts ?? []).length) + (alarm.hosts_more ?? 0);
  const key = `headline.${alarm.kind}`;
  if (!known(key) && !known(`${key}.other`))
    return said(alarm.why ?? alarm.kind).text;
  return t(key, {
    n, host: hostName(at_fault[0] ?? alarm.hosts?.[0]), mail: mail(alarm), victim: alarm.victim ?? t('mail.somebody'),
    audience: number(alarm.blast_radius?.audience ?? alarm.recipients ?? 0),
  });
}

/* Who does not: null when there is nobody to acquit. */
export function acquittal(alarm) {
  const first = origin(alarm);
  if (!alarm.acquittal)
    return null;
  return first && first.redeliveries === 0 && first.deliveries > 0
    ? {who: t('acquit.who', {host: hostName(first)}), what: t('acquit.what', {n: first.deliveries})}
    : {who: '', what: said(alarm.acquittal).text, lang: said(alarm.acquittal).lang};
}

export function figures(alarm) {
  const sent = origin(alarm)?.deliveries;
  if (!alarm.deliveries)
    return '';
  return alarm.redeliveries && sent
    ? t('facts.against_sent', {n: alarm.deliveries, sent: number(sent)})
    : t('facts.deliveries', {n: alarm.deliveries});
}

export function forecast(alarm, now) {
  return alarm.forecast && active(alarm)
    ? t('facts.next', {at: clock(alarm.forecast.at, now), deliveries: number(alarm.forecast.deliveries)})
    : '';
}

/* "fetchmail in multidrop mode: set …": the program, without the advice */
export const runs = (host) => (host.software ? host.software.split(/[:;]/)[0] : '');
