/* In: rates, a second or a longer step each, and alarms.  Out: the curve of first deliveries and of those sent again, alarms marked on it.
 * dygraphs draws on a canvas; its colours come from the sheet, so both themes hold. */

import {clock, number, t} from './i18n.js';

/* Ranges a button each: seconds shown, seconds a point (the steps the round-robin archives keep). */
export const RANGES = {quarter: [900, 1], hour: [3600, 10], day: [86400, 60], fortnight: [1209600, 600], years: [63072000, 86400]};

/* The range selector's handles are an image in a data: URL, which the content policy forbids. */
function handles() {
  const make = () => {
    const image = new Image(9, 16);
    image.src = '/static/handle.svg';
    image.alt = '';
    image.className = 'dygraph-rangesel-zoomhandle';
    Object.assign(image.style, {position: 'absolute', zIndex: 10, visibility: 'hidden', cursor: 'col-resize'});
    return image;
  };
  this.leftZoomHandle_ = make();
  this.rightZoomHandle_ = make();
}

const few = (n) => number(n, n !== null && n < 10 && n % 1 ? 1 : 0);
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* Rows of an answer of /api/v1/rates: objects with a time each, or columns from a time on. */
function points(answer) {
  const rows = Array.isArray(answer) ? answer : answer?.rates ?? answer?.points;
  if (Array.isArray(rows))
    return rows.map((r) => point(r)).filter(Boolean);
  const columns = answer?.series ?? answer ?? {}, all = columns.deliveries ?? [], start = new Date(
    typeof answer?.from === 'number' ? answer.from * 1000 : answer?.from ?? NaN).getTime();
  return Number.isNaN(start) ? [] : all.map((n, i) => row(start + i * (answer.step ?? 1) * 1000, n, columns.redeliveries?.[i]));
}

const row = (time, all, again) => [new Date(time), again ?? (all === null ? null : 0), all === null || all === undefined ? null : Math.max(0, all - (again ?? 0))];

function point(r) {
  const time = typeof r.time === 'number' ? r.time * 1000 : Date.parse(String(r.time).replace(/(\.\d{3})\d*/, '$1'));
  return Number.isNaN(time) ? null : row(time, r.deliveries, r.redeliveries);
}

/* Seconds of which nothing is known are left out of an answer: the line must not cross them. */
function broken(rows, most) {
  return rows.flatMap((r, i) => (i && r[0] - rows[i - 1][0] > most ? [[new Date(rows[i - 1][0].getTime() + 1), null, null], r] : [r]));
}

export class Chart {
  constructor(place, readout) {
    Object.assign(this, {place, readout, rows: [], marks: [], range: 'quarter', graph: null, drawn: 0, zoomed: false});
    const again = () => { this.graph?.destroy(); this.graph = null; this.draw(); };
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
  }

  /* Takes a whole answer for a range. */
  load(range, answer) {
    this.range = range;
    this.rows = broken(points(answer), RANGES[range][1] * 3000);
    this.graph?.destroy();
    this.graph = null;
    this.draw();
  }

  /* Takes the second that has just ended. */
  push(rates) {
    if (this.range !== 'quarter' && this.range !== 'hour')
      return;
    const next = point(rates), last = this.rows.at(-1);
    if (!next || (last && next[0] <= last[0]))
      return;
    if (last && next[0] - last[0] > RANGES[this.range][1] * 10000)
      this.rows.push([new Date(last[0].getTime() + 1000), null, null]); /* nothing is known of the time between */
    this.rows.push(next);
    const oldest = next[0].getTime() - RANGES[this.range][0] * 1000;
    while (this.rows.length && this.rows[0][0].getTime() < oldest)
      this.rows.shift();
    if (!document.hidden && performance.now() - this.drawn > 900)
      this.draw();
  }

  /* alarms: [{time (ms), label, severity}] */
  mark(marks) {
    const same = JSON.stringify(marks) === JSON.stringify(this.marks);
    this.marks = marks;
    if (!same)
      this.draw();
  }

  window() {
    const to = this.rows.at(-1)?.[0].getTime() ?? Date.now();
    return [to - RANGES[this.range][0] * 1000, to];
  }

  /* The rows, from the start of the range on, known or not. */
  shown() {
    const [from] = this.window();
    return this.rows[0][0].getTime() > from ? [[new Date(from), null, null], [new Date(this.rows[0][0].getTime() - 1), null, null], ...this.rows] : this.rows;
  }

  draw() {
    this.drawn = performance.now();
    if (typeof Dygraph === 'undefined' || !this.rows.length)
      return;
    const most = this.describe(), scale = {valueRange: most < 10 ? [0, 10.5] : null}; /* a few mails are no mountain */
    if (this.graph) {
      this.graph.updateOptions({file: this.shown(), ...scale, ...(this.zoomed ? {} : {dateWindow: null})});
      return;
    }
    Dygraph.Plugins.RangeSelector.prototype.createZoomHandles_ = handles;
    Dygraph.PLUGINS = Dygraph.PLUGINS.filter((p) => p !== Dygraph.Plugins.Legend); /* it measures by an inline style, which is forbidden too */
    const wide = this.place.clientWidth > 560;
    this.zoomed = false;
    this.graph = new Dygraph(this.place, this.shown(), {
      labels: ['time', 'again', 'first'], colors: [ink('--storm'), ink('--info')], legend: 'never', stackedGraph: true, ...scale, fillAlpha: 0.62,
      strokeWidth: 1.2, includeZero: true, gridLineColor: ink('--hair'), axisLineColor: ink('--line'), axisLabelFontSize: 12,
      highlightCircleSize: 3, showRangeSelector: wide, rangeSelectorHeight: 26, rightGap: 8,
      rangeSelectorPlotFillColor: ink('--info'), rangeSelectorPlotFillGradientColor: '', rangeSelectorPlotStrokeColor: ink('--info'),
      rangeSelectorBackgroundStrokeColor: ink('--line'), rangeSelectorForegroundStrokeColor: ink('--soft'), rangeSelectorAlpha: 0.5,
      axes: {y: {axisLabelWidth: 40, axisLabelFormatter: few}, x: {pixelsPerLabel: wide ? 90 : 70}},
      underlayCallback: (canvas, area, graph) => this.underlay(canvas, area, graph),
      highlightCallback: (event, x) => {
        const at_x = this.rows.find((r) => r[0].getTime() === x), of = (name) => at_x?.[name === 'again' ? 1 : 2] ?? null;
        this.readout.textContent = t('chart.at', {time: clock(x), first: few(of('first')), again: few(of('again'))});
      },
      unhighlightCallback: () => { this.readout.textContent = ''; },
      zoomCallback: (from, to) => {
        const [first, last] = this.graph.xAxisExtremes();
        this.zoomed = from > first + 500 || to < last - 500;
      },
    });
  }

  underlay(canvas, area, graph) {
    canvas.save();
    canvas.font = '11.5px "DejaVu Sans", system-ui, sans-serif';
    let line = 0;
    for (const mark of this.marks) {
      const x = graph.toDomXCoord(mark.time);
      if (!(x >= area.x && x <= area.x + area.w))
        continue;
      const left = x > area.x + area.w / 2, y = area.y + 12 + 15 * (line++ % 4);
      canvas.strokeStyle = canvas.fillStyle = ink(mark.severity === 'storm' ? '--storm' : '--squall');
      canvas.setLineDash([2, 3]);
      canvas.beginPath();
      canvas.moveTo(Math.round(x) + 0.5, area.y);
      canvas.lineTo(Math.round(x) + 0.5, area.y + area.h);
      canvas.stroke();
      canvas.textAlign = left ? 'right' : 'left';
      canvas.fillText(mark.label, x + (left ? -6 : 6), y, area.w / 2);
    }
    canvas.restore();
  }

  describe() {
    const seen = this.rows.filter((r) => r[2] !== null), most = Math.max(0, ...seen.map((r) => r[1] + r[2]));
    this.place.setAttribute('aria-label', t('chart.label', {
      from: clock(this.window()[0]), to: clock(this.window()[1]), most: number(most), again: number(Math.max(0, ...seen.map((r) => r[1])))}));
    return most;
  }
}
