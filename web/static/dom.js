/* In: names, attributes, texts.  Out: elements, to every page.  Texts, whoever wrote them, become text nodes: nothing here reads markup. */

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith('on'))
      node.addEventListener(name.slice(2), value);
    else if (value === true)
      node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

export const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const byId = (id) => document.getElementById(id);

/* Sets a text only when it differs: a live region must not speak for nothing. */
export function say(node, text) {
  if (node.textContent !== text)
    node.textContent = text;
}

/* A list whose rows stay the same elements from one answer to the next, and keep their order while somebody points at them or is in them
 * with the keyboard.  key(item) names a row, draw(item) gives its children. */
export class Rows {
  constructor(body, tag, key, draw) {
    Object.assign(this, {body, tag, key, draw, rows: new Map(), held: false, latest: null});
    const area = body.closest('.card') ?? body;
    const hold = () => { this.held = true; };
    const release = () => {
      this.held = area.matches(':hover') || area.matches(':focus-within');
      if (!this.held && this.latest)
        this.show(this.latest);
    };
    for (const event of ['pointerenter', 'focusin'])
      area.addEventListener(event, hold);
    for (const event of ['pointerleave', 'focusout'])
      area.addEventListener(event, () => setTimeout(release));
  }

  show(items) {
    this.latest = items;
    const wanted = new Map(items.map((item) => [this.key(item), item]));
    const order = this.held ? [...new Set([...this.rows.keys(), ...wanted.keys()])].filter((k) => wanted.has(k)) : [...wanted.keys()];
    for (const [key, row] of this.rows) {
      if (!wanted.has(key)) {
        row.element.remove();
        this.rows.delete(key);
      }
    }
    order.forEach((key, place) => {
      const item = wanted.get(key), state = JSON.stringify(item);
      let row = this.rows.get(key);
      if (!row) {
        row = {element: document.createElement(this.tag), state: null};
        this.rows.set(key, row);
      }
      if (row.state !== state) {
        const focused = row.element.contains(document.activeElement);
        row.element.replaceChildren(...[this.draw(item)].flat());
        row.state = state;
        if (focused)
          row.element.querySelector('a, button')?.focus();
      }
      if (this.body.children[place] !== row.element)
        this.body.insertBefore(row.element, this.body.children[place] ?? null);
    });
  }

  redraw() {
    for (const row of this.rows.values())
      row.state = null;
    if (this.latest)
      this.show(this.latest);
  }
}
