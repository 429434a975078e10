/* In: what `squall read --json` said of a capture.  Out: an HTTP server with the pages of web/static and that storm behind the API, and a
 * hand on it: states that a real sensor comes into but once in a while (lost, silent, hostile texts) are made here at will. */

import {createServer} from 'node:http';
import {readFile} from 'node:fs/promises';
import {basename, extname} from 'node:path';

const TYPES = {'.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.json': 'application/json', '.svg': 'image/svg+xml'};
const DYGRAPHS = '/usr/share/javascript/dygraphs/dygraph.min.js';

export class StandIn {
  constructor(pages, read) {
    Object.assign(this, {pages, read, alarms: [], status: {}, clients: new Set(), events: true, acknowledged: [], messages: read.messages ?? [], rates: [], hops: [], watched: [], forbidden: false});
    this.status = {squall: read.squall, sensor: {alive: true, why: null}, capture: read.capture, smtp: read.smtp, lag_seconds: 0.2, memory: {bytes: 88e6},
      channels: [{name: 'snmp noc', confirmed: true, failing: false, sent: 3, delivered: 3}, {name: 'webhook ops', confirmed: true, failing: true, sent: 0, error: 'connection refused'}]};
    this.server = createServer((request, response) => this.answer(request, response).catch((e) => { response.writeHead(500).end(String(e)); }));
  }

  async start() {
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  emit(name, what) {
    for (const client of this.clients)
      client.write(`event: ${name}\ndata: ${JSON.stringify(what)}\n\n`);
  }

  raise(alarm) {
    this.alarms = [alarm, ...this.alarms.filter((a) => a.id !== alarm.id)];
    this.emit('alarm', alarm);
  }

  drop_events() {
    this.events = false;
    for (const client of this.clients)
      client.destroy();
  }

  trace(asked, json) {
    const id = asked.get('message_id') ?? asked.get('q'), address = asked.get('address') ?? asked.get('q');
    const by_id = this.hops.filter((h) => h.message_id === id), by_address = this.hops.filter((h) => [h.from, ...h.recipients.map((r) => r.address)].includes(address));
    const hops = by_id.length ? by_id : by_address;
    if (!by_id.length && this.forbidden)
      return json({error: 'the setting privacy does not allow to look for an address'}, 403);
    return hops.length ? json({hops: hops.slice(0, 1000), found: hops.length, since: this.hops[0].end, by: by_id.length ? 'message_id' : 'address'})
      : json({error: 'none of the mails kept'}, 404);
  }

  async answer(request, response) {
    const {pathname, searchParams} = new URL(request.url, this.url), part = pathname.split('/').map(decodeURIComponent);
    const headers = {'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'", 'X-Content-Type-Options': 'nosniff'};
    const file = async (path) => {
      try {
        const body = await readFile(path);
        response.writeHead(200, {...headers, 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream'}).end(body);
      } catch {
        response.writeHead(404, headers).end();
      }
    };
    const json = (what, code = 200) => response.writeHead(code, {...headers, 'Content-Type': 'application/json'}).end(JSON.stringify(what));
    if (this.down)
      return response.destroy();
    if (part[1] === 'graph')
      return response.writeHead(200, {...headers, 'Content-Type': 'image/svg+xml'}).end('<svg xmlns="http://www.w3.org/2000/svg" width="1180" height="295"/>');
    if (pathname === '/')
      return file(`${this.pages}/now.html`);
    if (part[1] === 'static')
      return file(part[2] === 'dygraph.min.js' ? DYGRAPHS : `${this.pages}/${basename(part[2])}`);
    if (part[1] === 'alarms' && part.length === 3)
      return file(`${this.pages}/storm.html`);
    if (pathname === '/api/v1/status')
      return json(this.status);
    if (pathname === '/api/v1/messages')
      return json({messages: this.messages, hosts: this.hosts ?? []});
    if (pathname === '/api/v1/watched')
      return json({watched: this.watched});
    if (pathname === '/trace')
      return file(`${this.pages}/trace.html`);
    if (pathname === '/api/v1/trace')
      return this.trace(searchParams, json);
    if (pathname === '/api/v1/rates')
      return json({step: 1, rates: this.rates});
    if (pathname === '/api/v1/alarms')
      return json({alarms: this.alarms});
    if (part[3] === 'alarms') {
      const alarm = this.alarms.find((a) => a.id === part[4]);
      if (!alarm)
        return json({error: 'no such alarm'}, 404);
      if (part[5] === 'acknowledge' && request.method === 'POST') {
        this.acknowledged.push(alarm.id);
        alarm.state = 'acknowledged';
        this.emit('alarm', alarm);
      }
      return json(alarm);
    }
    if (pathname === '/api/v1/events') {
      if (!this.events)
        return json({error: 'too many clients'}, 503);
      response.writeHead(200, {...headers, 'Content-Type': 'text/event-stream'}).flushHeaders();
      this.clients.add(response);
      response.on('close', () => this.clients.delete(response));
      return undefined;
    }
    return json({error: 'no such page'}, 404);
  }
}

/* A quarter of an hour of quiet mail that ends at `end` (ms), with bursts of `again` deliveries at the given seconds before it. */
export function quarter(end, bursts = []) {
  const rates = [];
  for (let s = -899; s <= 0; s++) {
    const again = bursts.reduce((n, [at, height]) => n + Math.round(height * Math.exp(-((s + at) ** 2) / 18)), 0);
    rates.push({time: new Date(end + s * 1000).toISOString(), messages: 2, deliveries: 3 + (s * 7919) % 3 + again, redeliveries: again, sessions: 1, alarms: [0, 0, 0, 0, 0]});
  }
  return rates;
}
