// The board: listens to the worker, keeps the reader's choice in the address, hands answers to the cards.

import { Card } from "./cards.js";
import { Freshness } from "./freshness.js";
import { showTickets } from "./tickets.js";

const RETRY_MS = 3000;
const HISTORY_MS = 15_000; // the worker takes a sample this often

const WINDOWS = { "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days" };

const controls = document.getElementById("controls");
const filter = document.getElementById("filter");
const freshness = new Freshness();
const cards = [...document.querySelectorAll("[data-kpi]")].map(
  (article) => new Card(article, (title, within) => showTickets(title, within, chosenFilter())),
);

let stream = null;
let retry = null;
let past = null; // the last hour of the choice
let drawn = null; // the one that the curves show

// A choice is a part of the address, so that it can be kept as a bookmark and shared.
function readAddress() {
  const query = new URLSearchParams(location.search);
  const radio = controls.querySelector(`[name=window][value="${CSS.escape(query.get("window") ?? "24h")}"]`);
  if (radio) radio.checked = true;
  const label = ["brand", "channel", "team"].find((name) => query.get(name));
  // Which values there are is known with the first answer; until then the chosen one stands alone.
  if (label) choose({ [label]: [query.get(label)] }, `${label}=${query.get(label)}`);
}

function chosenFilter() {
  const at = filter.value.indexOf("=");
  return at < 0 ? {} : { [filter.value.slice(0, at)]: filter.value.slice(at + 1) };
}

function chosen() {
  return new URLSearchParams({ window: controls.elements.window.value, ...chosenFilter() });
}

/** Offer the label values there are; a chosen one stays on offer though nothing has it now. */
function choose(values, keep = filter.value) {
  const offered = Object.entries(values).flatMap(([label, names]) => names.map((name) => `${label}=${name}`));
  if (keep && !offered.includes(keep)) offered.push(keep);
  const key = JSON.stringify(offered);
  if (filter.dataset.offered === key) return; // an open list must not be drawn anew every second
  filter.dataset.offered = key;
  filter.replaceChildren(
    new Option("Everything", ""),
    ...offered.map((value) => new Option(value.replace("=", ": "), value)),
  );
  filter.value = keep;
}

function show(answer) {
  freshness.hear(answer);
  choose(answer.filters);
  const [label] = Object.keys(answer.filter);
  const loaded = Object.keys(answer.kpis).length > 0;
  for (const card of cards) card.show(answer.kpis[card.kpi], { label, window: answer.window });
  showSla(loaded && "sla_breached_open" in answer.kpis, loaded);
  for (const place of document.querySelectorAll(".window")) place.textContent = WINDOWS[answer.window];
  const targets = Object.values(answer.kpis).some((kpi) => kpi.target);
  document.getElementById("no-targets").hidden = !loaded || targets;
  draw(answer);
}

/** Without any policy, one sentence stands in the place of the cards that would all be empty. */
function showSla(configured, loaded) {
  for (const { article, kpi } of cards) if (kpi.startsWith("sla_")) article.hidden = loaded && !configured;
  document.getElementById("no-sla").hidden = !loaded || configured;
}

function draw({ kpis }) {
  if (past === drawn || !Object.keys(kpis).length) return;
  drawn = past;
  for (const card of cards) {
    const kpi = kpis[card.kpi];
    if (kpi) card.draw(past.times, past.kpis[card.kpi], kpi);
  }
}

async function fetchPast() {
  const asked = chosen().toString();
  try {
    const response = await fetch(`api/history?${asked}`);
    if (!response.ok || asked !== chosen().toString()) return; // the choice has changed meanwhile
    past = await response.json();
    if (freshness.answer) draw(freshness.answer);
  } catch {
    // The live stream says that the connection is lost; the charts stay as they are.
  }
}

function listen() {
  clearTimeout(retry);
  stream?.close();
  stream = new EventSource(`api/stream?${chosen()}`);
  stream.onmessage = (event) => show(JSON.parse(event.data));
  stream.onerror = () => {
    // After an answer that is no stream (a proxy's error page) a browser gives up for good.
    if (stream.readyState === EventSource.CLOSED) retry = setTimeout(listen, RETRY_MS);
  };
}

function change() {
  history.replaceState(null, "", `?${chosen()}`);
  listen();
  fetchPast();
}

readAddress();
controls.addEventListener("change", change);
controls.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("themechange", () => cards.forEach((card) => card.redraw()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cards.forEach((card) => card.redraw()));
listen();
fetchPast();
setInterval(fetchPast, HISTORY_MS);
