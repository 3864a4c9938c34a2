// One card per KPI: its figure, its target and its last hour.

import { NO_VALUE, duration, figure, scalar, target } from "./format.js";

export class Card {
  constructor(article, onTickets) {
    this.article = article;
    this.kpi = article.dataset.kpi;
    const title = article.querySelector("h3");
    title.id = `title-${this.kpi}`;
    article.setAttribute("aria-labelledby", title.id);
    article.append(document.getElementById("card-body").content.cloneNode(true));
    if (article.dataset.within) this.#makeButton(title.textContent, onTickets);
  }

  #part(name) {
    return this.article.querySelector(`.${name}`);
  }

  /** The figure of a deadline opens the tickets behind it. */
  #makeButton(title, onTickets) {
    const button = document.createElement("button");
    button.type = "button";
    button.hidden = true;
    button.className = "quiet tickets";
    button.textContent = "Show tickets";
    button.setAttribute("aria-label", `Show tickets: ${title}`);
    button.addEventListener("click", () => onTickets(title, this.article.dataset.within));
    this.#part("context").after(button);
  }

  /** Show one KPI of the answer; undefined = there are no figures yet. `label` is that of the filter. */
  show(kpi, { label, window }) {
    const shown = this.#read(kpi, label);
    this.article.classList.toggle("empty", shown.number === NO_VALUE);
    this.#part("number").textContent = shown.number;
    this.#part("unit").textContent = shown.unit;
    this.#part("context").textContent = shown.context ?? "";
    const button = this.#part("tickets");
    if (button) button.hidden = !(kpi?.figure > 0);
    this.article.classList.toggle("alarm", this.kpi === "sla_breached_open" && kpi?.figure > 0);
    this.#showTarget(kpi, window);
  }

  #read(kpi, label) {
    if (!kpi) return { number: NO_VALUE, unit: "" };
    if (!kpi.split) return { number: NO_VALUE, unit: "", context: `not known by ${label}` };
    return figure(kpi, this.article.dataset.of);
  }

  #showTarget(kpi, window) {
    const place = this.#part("target");
    place.hidden = !kpi?.target;
    if (!kpi?.target) return;
    const { met } = kpi.target;
    place.dataset.met = met;
    place.textContent = target(kpi, window) + (met === null ? "" : met ? ": met" : ": missed");
  }

  /** Draw up to an hour: `times` in seconds, `values` with null where there was none. */
  draw(times, values, kpi) {
    const known = (values ?? []).filter((value) => value !== null);
    const spark = this.#part("spark");
    spark.hidden = known.length < 2;
    this.#part("range").textContent = spark.hidden ? "" : range(kpi, known, times);
    if (spark.hidden) return;
    const limit = kpi.target?.max ?? kpi.target?.min ?? null;
    const data = [times, values, times.map(() => limit)];
    if (!this.plot) this.plot = plot(spark, data);
    this.plot.batch(() => {
      this.plot.setData(data, false);
      this.plot.setScale("x", { min: times[0], max: times.at(-1) });
      this.plot.setScale("y", bounds(limit === null ? known : [...known, limit]));
    });
  }

  redraw() {
    this.plot?.redraw(false);
  }
}

/** The curve in words: it has no axes, and screen readers do not see it. */
function range(kpi, values, times) {
  const span = duration(times.at(-1) - times[0], 0).join(" ");
  const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => scalar(kpi.shape, value));
  const from = low.join() === high.join() ? "" : `${(low[1] === high[1] ? low.slice(0, 1) : low).join(" ").trim()} to `;
  return `last ${span}: ${from}${high.join(" ").trim()}`;
}

/** Limits around the values; a flat line lies in the middle and small changes are not blown up to the full height. */
function bounds(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max((high - low) * 0.1, Math.abs(high) * 0.02, 1e-9);
  return { min: low - room, max: high + room };
}

function plot(place, data) {
  const color = (alpha) => () => {
    const resolved = getComputedStyle(place).color; // canvas knows no custom properties
    return alpha === 1 ? resolved : resolved.replace(/rgba?\(([^,]+,[^,]+,[^,)]+).*/, `rgba($1, ${alpha})`);
  };
  const made = new uPlot({
    width: place.clientWidth,
    height: place.clientHeight,
    padding: [2, 0, 2, 0],
    cursor: { show: false },
    legend: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: { x: { time: false }, y: { auto: false } },
    series: [
      {},
      { stroke: color(1), fill: color(0.1), width: 1.5, points: { show: false } },
      { stroke: color(0.7), width: 1, dash: [4, 4], points: { show: false } },
    ],
  }, data, place);
  new ResizeObserver(() => {
    if (place.clientWidth) made.setSize({ width: place.clientWidth, height: place.clientHeight });
  }).observe(place);
  return made;
}
