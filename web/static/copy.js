/* In: a button and a text.  Out: the text on the clipboard, and the button says so for a moment. */

import {html} from './dom.js';
import {t} from './i18n.js';

const SAID_FOR = 2500;

async function put(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* not allowed: the old way may be */ }
  }
  const field = html('textarea', {class: 'offscreen', readonly: true});
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  return done;
}

export async function copy(button, text) {
  const before = button.dataset.text ?? button.textContent;
  button.dataset.text = before;
  const done = await put(text);
  button.focus();
  button.textContent = t(done ? 'copy.done' : 'copy.failed');
  button.classList.toggle('done', done);
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = setTimeout(() => {
    button.textContent = before;
    button.classList.remove('done');
  }, SAID_FOR);
}
