/* In: places in a page that name a graph (data-graph, data-from, data-title).  Out: its picture there, drawn by the server, for both themes and
 * for narrow screens. */

import {html} from './dom.js';
import {current, t} from './i18n.js';

/* `at` only makes the browser ask again: every quarter of a minute, or, of a long time, every five. */
const address = (place, look) => {
  const {graph, from} = place.dataset, at = Math.floor(Date.now() / (from ? 300000 : 15000));
  return `/graph/${graph}.svg?${new URLSearchParams({...(from ? {from} : {}), ...look, lang: current(), at})}`;
};

/* Draws, or draws again; then(true) when a picture is there, then(false) when there is none. */
export function draw_graphs(root, then = () => {}) {
  for (const place of root.querySelectorAll('[data-graph]')) {
    const dark = '(prefers-color-scheme: dark)', narrow = '(max-width: 560px)', small = {width: 400}, wide = {width: 1180};
    if (place.dataset.shown === address(place, wide))
      continue;
    place.dataset.shown = address(place, wide);
    const picture = html('picture', {},
      html('source', {media: `${dark} and ${narrow}`, srcset: address(place, {theme: 'dark', ...small})}),
      html('source', {media: narrow, srcset: address(place, small)}),
      html('source', {media: dark, srcset: address(place, {theme: 'dark', ...wide})}),
      html('img', {class: 'graph', src: address(place, wide), alt: t(place.dataset.title), 
        onerror: () => then(false), onload: () => { place.replaceChildren(picture); then(true); }}));
    if (!place.firstChild)
      place.append(picture);
  }
}
