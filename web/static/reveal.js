/* In: an alarm whose names are hidden, and who wants to see it in clear, and why.  Out: the clear alarm, to storm.js, once the sensor has
 * noted that; and who has seen it so far. */

import {get, list, reveal} from './api.js';
import {html, say} from './dom.js';
import {clock, t} from './i18n.js';

const hides = (alarm) => (alarm?.privacy ?? 'clear') !== 'clear';
const CLEAR = ['subject', 'from', 'victim', 'cure']; /* what the page shows in clear from then on; sentences, as long as they do not change */

export class Reveal {
  /* `changed` is called when the alarm is to be drawn anew. */
  constructor(place, id, changed) {
    Object.assign(this, {place, id, changed, clear: null, masked: null, seen: [], asked: false});
    this.who = html('input', {id: 'reveal-who', autocomplete: 'name', maxlength: 100, required: true});
    this.reason = html('input', {id: 'reveal-reason', autocomplete: 'off', maxlength: 200, required: true});
    this.said = html('p', {});
    this.fault = html('p', {class: 'storm-ink', role: 'alert'});
    this.log = html('ul', {});
    this.label = {who: html('label', {for: 'reveal-who'}), reason: html('label', {for: 'reveal-reason'})};
    this.button = html('button', {class: 'btn small'});
    this.form = html('form', {class: 'search', onsubmit: (e) => this.send(e)}, this.label.who, this.who, this.label.reason, this.reason, this.button);
    place.append(this.said, this.form, this.fault, this.log);
  }

  /* What is known of the alarm, with what was revealed of it. */
  take(alarm) {
    this.masked = alarm;
    if (!this.asked && hides(alarm)) {
      this.asked = true;
      this.ask_log();
    }
    if (!this.clear || !hides(alarm))
      return alarm;
    return alarm.updated === this.clear.updated ? this.clear : {...alarm, ...Object.fromEntries(CLEAR.map((k) => [k, this.clear[k]]))};
  }

  draw() {
    this.place.hidden = !hides(this.masked);
    if (this.place.hidden)
      return;
    say(this.said, t(this.clear ? 'reveal.done' : `reveal.${this.masked.privacy}`));
    this.form.hidden = !!this.clear;
    say(this.label.who, t('reveal.who'));
    say(this.label.reason, t('reveal.reason'));
    say(this.button, t('reveal.button'));
    this.log.replaceChildren(...this.seen.map((r) => html('li', {class: 'soft'}, `${clock(r.time, Date.now())} · ${r.who} (${r.from}): ${r.reason}`)));
  }

  async ask_log() {
    try {
      this.seen = list(await get(`/api/v1/alarms/${encodeURIComponent(this.id)}/reveals`), 'reveals');
      this.draw();
    } catch {
      this.asked = false; /* with the next change again */
    }
  }

  async send(event) {
    event.preventDefault();
    this.button.disabled = true;
    say(this.fault, '');
    try {
      this.clear = await reveal(this.id, this.who.value, this.reason.value);
      await this.ask_log();
      this.changed();
    } catch (why) {
      say(this.fault, t('reveal.failed', {why: why.message}));
    }
    this.button.disabled = false;
  }
}
