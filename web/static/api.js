/* In: the sensor's HTTP interface.  Out: its answers as objects, to now.js and storm.js; and what changes, as it happens: from
 * /api/v1/events, or by asking every few seconds while that connection is not to be had. */

export async function get(path) {
  const answer = await fetch(path, {headers: {Accept: 'application/json'}, cache: 'no-cache'});
  const said = await answer.json().catch(() => null);
  if (!answer.ok) {
    const fault = new Error(said?.error ?? `${path}: ${answer.status}`);
    fault.status = answer.status;
    throw fault;
  }
  return said;
}

async function post(path, body) {
  const answer = await fetch(path, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  const said = await answer.json().catch(() => null);
  if (!answer.ok)
    throw new Error(said?.error ?? `${path}: ${answer.status}`);
  return said;
}

export const acknowledge = (id) => post(`/api/v1/alarms/${encodeURIComponent(id)}/acknowledge`, {});
export const reveal = (id, who, reason) => post(`/api/v1/alarms/${encodeURIComponent(id)}/reveal`, {who, reason});

/* The list in an answer: the answer itself, or its member of that name. */
export function list(answer, name) {
  const found = Array.isArray(answer) ? answer : answer?.[name];
  return Array.isArray(found) ? found : [];
}

const POLL_EVERY = 5000, RETRY_AFTER = 10000, SILENT_AFTER = 20000;

/* Calls listener.rates(r), listener.alarm(storm) for each event, listener.link('live' | 'polling' | 'lost') when the way changes, and
 * listener.poll() (which may throw) whenever all has to be asked for afresh. */
export function follow(listener) {
  let source = null, polling = null, heard = 0, link = null;
  const tell = (state) => {
    if (state !== link)
      listener.link(link = state);
  };
  const parse = (event, take) => {
    heard = Date.now();
    try {
      take(JSON.parse(event.data));
    } catch (fault) {
      if (!(fault instanceof SyntaxError))
        throw fault;
    }
  };
  const ask = async () => {
    try {
      await listener.poll();
      if (polling)
        tell('polling');
    } catch {
      tell('lost');
    }
  };
  const fall_back = () => {
    source?.close();
    source = null;
    if (!polling) {
      polling = setInterval(ask, POLL_EVERY);
      ask();
    }
    setTimeout(connect, RETRY_AFTER);
  };
  const connect = () => {
    source = new EventSource('/api/v1/events');
    heard = Date.now();
    source.addEventListener('open', () => {
      heard = Date.now();
      clearInterval(polling);
      polling = null;
      tell('live');
      ask(); /* what changed while nobody listened */
    });
    source.addEventListener('rates', (event) => parse(event, listener.rates));
    source.addEventListener('alarm', (event) => parse(event, (said) => listener.alarm(said.storm ?? said.alarm ?? said)));
    source.addEventListener('error', fall_back, {once: true});
  };
  setInterval(() => {
    if (source && Date.now() - heard > SILENT_AFTER)
      ask(); /* events need not come in peace; the answer tells whether somebody is there */
  }, SILENT_AFTER);
  connect();
}
