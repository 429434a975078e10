/* In: an alarm's hosts and edges.  Out: a picture of who gave the mail to whom: in columns where there is room, as an outline on a narrow
 * screen.  Re-injectors stand out by frame and word; what only a header says is dashed; the thicker a line, the more was sent again. */

import {svg} from './dom.js';
import {number, t} from './i18n.js';
import {guilty, hostName, origin} from './words.js';

const SHOWN = 14;            /* hosts a column; the rest is counted in one more box */
const WIDE = 760;            /* px from which there is room for columns */
const BOX = 44, ROW = 66;

const badge = (host) => host.role === 'reinjector' || host.role === 'looper';

/* Which column each host stands in: the first hop's distance from where the mail began. */
function depths(hosts, edges) {
  const depth = new Map(), into = new Set(edges.filter((e) => e.to !== null && e.from !== e.to).map((e) => e.to));
  let front = hosts.map((h, i) => i).filter((i) => hosts[i].role === 'origin');
  if (!front.length)
    front = hosts.map((h, i) => i).filter((i) => !into.has(i));
  if (!front.length && hosts.length)
    front = [edges[0]?.from ?? 0];
  for (let d = 0; front.length; d++) {
    for (const i of front)
      depth.set(i, d);
    front = [...new Set(edges.filter((e) => front.includes(e.from) && e.to !== null && !depth.has(e.to)
      && !(badge(hosts[e.from]) && hosts[e.to].role !== 'looper')).map((e) => e.to))].filter((i) => !depth.has(i));
  }
  hosts.forEach((h, i) => {
    if (!depth.has(i)) {
      const from = edges.find((e) => e.to === i && depth.has(e.from));
      depth.set(i, from ? depth.get(from.from) + 1 : badge(h) ? Math.max(0, ...depth.values()) : 0);
    }
  });
  return depth;
}

/* The columns with their order: neighbours near each other. */
function columns(hosts, edges, depth) {
  const all = [];
  hosts.forEach((h, i) => (all[depth.get(i)] ??= []).push(i));
  const place = new Map(), forward = edges.filter((e) => e.to !== null && depth.get(e.to) > depth.get(e.from));
  const settle = (column) => column?.forEach((i, at) => place.set(i, at - column.length / 2));
  for (let c = 0; c < all.length; c++)
    settle(all[c] ??= []);
  for (let c = all.length - 2; c >= 0; c--) {
    const pull = (i) => {
      const near = forward.filter((e) => e.from === i).map((e) => place.get(e.to));
      return near.length ? near.reduce((a, b) => a + b, 0) / near.length : 1e6;
    };
    all[c].sort((a, b) => pull(a) - pull(b));
    settle(all[c]);
  }
  return all.filter((c) => c.length);
}

function model(alarm) {
  const hosts = alarm.hosts ?? [], edges = (alarm.edges ?? []).filter((e) => hosts[e.from]);
  const depth = depths(hosts, edges), forward = [], back = [], out = [];
  for (const e of edges) {
    if (e.to === null || e.to === undefined)
      out.push(e);
    else if (depth.get(e.to) > depth.get(e.from))
      forward.push(e);
    else
      back.push(e);
  }
  return {hosts, edges, depth, forward, back, out, columns: columns(hosts, edges, depth), guilty: guilty(alarm).length, origin: origin(alarm),
    people: alarm.blast_radius?.recipients || alarm.recipients, most: alarm.blast_radius?.most_copies_a_recipient, more: alarm.hosts_more ?? 0};
}

function kind(host) {
  return badge(host) ? 'guilty' : host.role === 'origin' && !host.redeliveries ? 'clean' : '';
}

function under(host) {
  const address = host.name && host.role !== 'origin' ? host.address : null;
  const what = badge(host) ? t(`role.${host.role}.does`)
    : host.role === 'origin' ? (host.redeliveries ? t('role.origin') : t('tree.once', {n: host.deliveries}))
      : host.recipients_in ? t('tree.took', {n: host.recipients_in}) : t(`role.${host.role}`);
  return [address, what].filter(Boolean).join(' · ');
}

const whole = (host) => [hostName(host), host.address, under(host)].filter(Boolean).join('\n');

function clip(text, width, per) {
  const most = Math.floor(width / per);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function box(x, y, width, title, small, classes, all) {
  const centre = x + width / 2 + (classes.includes('guilty') ? 9 : 0);
  return svg('g', {class: 'host'}, svg('title', {}, all ?? `${title}\n${small}`),
    svg('rect', {class: `node ${classes}`, x, y: y - BOX / 2, width, height: BOX, rx: 8}),
    classes.includes('guilty') && svg('path', {class: 'flag', d: `M${x + 10} ${y - 8}a6 6 0 1 1 -1.5 5.6M${x + 10} ${y - 13}v5h5`}),
    svg('text', {class: 'lbl', x: centre, y: y - 3, 'text-anchor': 'middle'}, clip(title, width - (classes.includes('guilty') ? 34 : 10), 7.9)),
    svg('text', {class: 'sub', x: centre, y: y + 14, 'text-anchor': 'middle'}, clip(small, width - 8, 6.3)));
}

const thick = (again, most) => (again ? 2.5 + 6 * Math.sqrt(again / Math.max(1, most)) : 2);

function curve(a, b, classes, width, label) {
  const middle = (a.x + b.x) / 2;
  return svg('path', {class: `edge ${classes}`, d: `M${a.x} ${a.y}C${middle} ${a.y} ${middle} ${b.y} ${b.x} ${b.y}`, 'stroke-width': width}, label && svg('title', {}, label));
}

const counted = (e) => (e.redeliveries ? t('tree.again', {n: e.redeliveries}) : t('tree.copies', {n: e.copies}));

function wide(m, width) {
  const shown = m.columns.map((c) => c.slice(0, SHOWN)), rest = m.columns.map((c) => Math.max(0, c.length - SHOWN));
  const people = m.out.length > 0 && m.people > 0, count = shown.length + (people ? 1 : 0);
  const gap = count > 1 ? Math.max(40, Math.min(170, (width - 8) / (count - 1) * 0.3)) : 0;
  const box_width = Math.min(236, (width - 8 - gap * (count - 1)) / count), step = count > 1 ? (width - 8 - box_width) / (count - 1) : 0;
  const tallest = Math.max(1, ...shown.map((c, i) => c.length + (rest[i] ? 1 : 0))), height = tallest * ROW;
  const at = new Map(), boxes = [], lines = [], labels = [];
  const middle = (n, k) => height / 2 + (k - (n - 1) / 2) * ROW;
  shown.forEach((column, c) => {
    const n = column.length + (rest[c] ? 1 : 0), x = 4 + c * step;
    column.forEach((i, k) => {
      at.set(i, {x, y: middle(n, k)});
      boxes.push(box(x, middle(n, k), box_width, hostName(m.hosts[i]), under(m.hosts[i]), kind(m.hosts[i]), whole(m.hosts[i])));
    });
    if (rest[c])
      boxes.push(box(x, middle(n, n - 1), box_width, t('tree.more', {n: rest[c]}), t('tree.more_below'), 'more'));
  });
  const most = Math.max(1, ...m.hosts.map((h) => h.redeliveries));
  const right = (i) => ({x: at.get(i).x + box_width, y: at.get(i).y}), left = (i) => at.get(i);
  for (const e of m.forward) {
    if (!at.has(e.from) || !at.has(e.to))
      continue;
    lines.push(curve(right(e.from), left(e.to), `${e.on_wire ? '' : 'word'} ${e.redeliveries ? 'bad' : ''}`, thick(e.redeliveries, most), counted(e)));
    const a = right(e.from), b = left(e.to);
    if (b.x - a.x >= 60)
      labels.push(svg('text', {class: 'sub count', x: b.x - 8, y: b.y + (b.y < a.y ? 17 : -7), 'text-anchor': 'end'}, number(e.on_wire || !e.copies ? (e.deliveries || e.copies) : e.copies)));
  }
  let foot = height;
  if (people) {
    const x = 4 + shown.length * step, y = height / 2;
    boxes.push(box(x, y, box_width, t('tree.people', {n: m.people}), m.most > 1 ? t('tree.up_to', {n: m.most}) : t('tree.one_each'), 'people'));
    for (const e of m.out) {
      if (!at.has(e.from))
        continue;
      const host = m.hosts[e.from], again = badge(host) ? host.redeliveries : e.redeliveries, from = right(e.from);
      if (!badge(host) && m.guilty && m.depth.get(e.from) === 0) { /* the origin's own line passes above all others */
        const top = -12;
        lines.push(svg('path', {class: 'edge', d: `M${from.x - box_width / 2} ${from.y - BOX / 2}C${from.x - box_width / 2} ${top} ${from.x} ${top} ${from.x + 30} ${top}H${x - 20}C${x + box_width / 2} ${top} ${x + box_width / 2} ${top + 20} ${x + box_width / 2} ${y - BOX / 2}`, 'stroke-width': 2}));
        labels.push(svg('text', {class: 'sub', x: from.x + 34, y: top + 16}, t('tree.direct', {n: e.deliveries})));
      } else {
        lines.push(curve(from, {x, y}, `${e.on_wire ? '' : 'word'} ${again ? 'bad' : ''}`, thick(again, most)));
        labels.push(svg('text', {class: 'sub count', x: from.x + 8, y: from.y + (from.y <= y ? -9 : 18)}, again ? t('tree.again', {n: again}) : number(e.deliveries)));
      }
    }
  }
  const back = m.back.filter((e) => at.has(e.from) && at.has(e.to));
  if (back.length > 4) {
    const fed = back.filter((e) => badge(m.hosts[e.from]) && m.hosts[e.to].role !== 'origin'), sum = fed.reduce((n, e) => n + e.redeliveries, 0);
    const target = fed.length && Math.min(...fed.map((e) => at.get(e.to).x)), mailboxes = new Set(fed.map((e) => e.to)).size;
    if (sum) {
      const from = Math.max(...fed.map((e) => at.get(e.from).x)) + box_width / 2, low = height + 26, to = target + box_width / 2;
      lines.push(svg('path', {class: 'edge bad return', 'marker-end': 'url(#tip)', d: `M${from} ${height - 4}C${from} ${low} ${from - 30} ${low} ${from - 60} ${low}H${to + 40}C${to + 10} ${low} ${to} ${low} ${to} ${height}`, 'stroke-width': 2}));
      labels.push(svg('text', {class: 'sub', x: (from + to) / 2, y: low + 18, 'text-anchor': 'middle'}, t('tree.feeds', {n: sum, mailboxes: number(mailboxes)})));
      foot = low + 24;
    }
  } else {
    back.forEach((e, k) => {
      const a = at.get(e.from), b = at.get(e.to), low = height + 14 + 26 * k, ax = a.x + box_width / 2 + 12, bx = b.x + box_width / 2 - 12;
      lines.push(svg('path', {class: `edge bad ${e.on_wire ? '' : 'word'}`, 'marker-end': 'url(#tip)', 'stroke-width': 2.4,
        d: `M${ax} ${a.y + BOX / 2}C${ax} ${low} ${ax - 20} ${low} ${ax - 40} ${low}H${bx + 40}C${bx + 14} ${low} ${bx} ${low} ${bx} ${b.y + BOX / 2 + 5}`}));
      labels.push(svg('text', {class: 'sub', x: (ax + bx) / 2, y: low + 16, 'text-anchor': 'middle'}, t('tree.back', {n: e.redeliveries || e.copies})));
      foot = Math.max(foot, low + 24);
    });
  }
  const top = people && m.guilty ? -24 : 0;
  return {top, width, height: foot - top, drawn: [...lines, ...boxes, ...labels]};
}

/* Each host under the one it had the mail from. */
function outline(m, width) {
  const drawn = [], seen = new Set(), INDENT = 20;
  let y = 24;
  const children = (i) => [...new Set(m.forward.filter((e) => e.from === i).map((e) => e.to))].filter((k) => !seen.has(k) && m.depth.get(k) === m.depth.get(i) + 1);
  const put = (i, level, parent) => {
    seen.add(i);
    const host = m.hosts[i], x = 4 + level * INDENT, here = y;
    if (parent) {
      const edge = m.forward.find((e) => e.from === parent.i && e.to === i);
      drawn.unshift(svg('path', {class: `edge ${edge && !edge.on_wire ? 'word' : ''}`, 'stroke-width': 2, d: `M${parent.x + 9} ${parent.y + BOX / 2}V${here - 8}q0 8 8 8H${x}`}));
    }
    const small = badge(host) ? `${t(`role.${host.role}.does`)} · ${t('tree.again', {n: host.redeliveries})}` : under(host);
    drawn.push(box(x, y, width - x - 4, hostName(host), small, kind(host), whole(host)));
    y += ROW - 10;
    for (const k of children(i).slice(0, SHOWN))
      put(k, level + 1, {i, x, y: here});
  };
  for (const column of m.columns) {
    for (const i of column.slice(0, SHOWN)) {
      if (!seen.has(i))
        put(i, 0, null);
    }
  }
  if (m.hosts.length > seen.size) {
    drawn.push(box(4, y, width - 8, t('tree.more', {n: m.hosts.length - seen.size}), t('tree.more_below'), 'more'));
    y += ROW - 10;
  }
  if (m.out.length && m.people) {
    drawn.push(box(4, y, width - 8, t('tree.people', {n: m.people}), m.most > 1 ? t('tree.up_to', {n: m.most}) : t('tree.one_each'), 'people'));
    y += ROW - 10;
  }
  return {top: 0, width, height: y - 30, drawn};
}

/* The picture for a place so many pixels wide; null: nobody gave it to anybody. */
export function tree(alarm, room) {
  const m = model(alarm);
  if (!m.hosts.length || !m.edges.length)
    return null;
  const width = Math.max(room, 260), p = room >= WIDE ? wide(m, width) : outline(m, width);
  const tip = svg('marker', {id: 'tip', viewBox: '0 0 8 8', refX: 6, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: 'userSpaceOnUse', orient: 'auto'}, svg('path', {class: 'tip', d: 'M0 0L8 4L0 8Z'}));
  return svg('svg', {viewBox: `0 ${p.top} ${p.width} ${p.height}`, width: p.width, height: p.height, role: 'img', 'aria-label': t('tree.label', {
    origin: m.origin ? hostName(m.origin) : t('host.unknown'), n: m.guilty, hosts: m.hosts.filter(badge).map(hostName).join(', ') || t('tree.nobody')})}, svg('defs', {}, tip), p.drawn);
}
