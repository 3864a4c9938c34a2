// From figures, as the API has them, to what people read. Every function is pure.

export const NO_VALUE = "–";

const whole = new Intl.NumberFormat("en");
const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

/** A duration in seconds, in the unit that keeps it between 2 and about 120: [number, unit]. */
export function duration(seconds, digits = 1) {
  const [unit, size] = UNITS.find(([, size]) => seconds >= 2 * size) ?? ["s", 1];
  return [decimal(seconds / size, size === 1 && seconds >= 10 ? 0 : digits), unit];
}

function decimal(number, digits) {
  return number.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function money(amounts) {
  const [first, ...others] = Object.entries(amounts).filter(([, amount]) => amount).sort(([, a], [, b]) => b - a);
  if (!first) return { number: "0", unit: Object.keys(amounts)[0] ?? "" };
  const context = others.map(([currency, amount]) => `${amountText(amount)} ${currency}`).join(", ");
  return { number: amountText(first[1]), unit: first[0], context: context && `and ${context}` };
}

function amountText(amount) {
  return amount < 1e6 ? decimal(amount, 0) : `${decimal(amount / 1e6, 2)} M`;
}

/** A single value of a KPI of some shape, as [number, unit]. */
export function scalar(shape, value) {
  switch (shape) {
    case "ratio": return [decimal(100 * value, 1), "%"];
    case "time": return duration(value);
    case "mean": return [decimal(value, 2), ""];
    case "score": return [(value > 0 ? "+" : "") + decimal(value, 0), ""];
    case "money": return [amountText(value), ""];
    default: return [whole.format(value), ""];
  }
}

/** A figure as { number, unit, context }; `of` names what a share or mean is taken of. */
export function figure({ shape, figure }, of = "") {
  if (shape === "money") return money(figure);
  const value = typeof figure === "number" ? figure : figure.value ?? figure.mean ?? null;
  if (value === null) return { number: NO_VALUE, unit: "", context: `no ${of || "data"} in this time` };
  const [number, unit] = scalar(shape, value);
  return { number, unit, context: context(shape, figure, of) };
}

function context(shape, figure, of) {
  switch (shape) {
    case "ratio": return `${whole.format(figure.numerator)} of ${whole.format(figure.denominator)} ${of}`;
    case "time": return `mean of ${whole.format(figure.count)} ${of}`;
    case "mean": return `mean of ${whole.format(figure.denominator)} ${of}`;
    case "score": return `${whole.format(figure.promoters + figure.passives + figure.detractors)} ${of}`;
    default: return "";
  }
}

/** The target of a KPI in words; its window is named where another one is shown. */
export function target({ shape, target: { min, max, window } }, shown) {
  const [low, high] = [min, max].map((value) => value !== null && scalar(shape, value).join(" ").replace(/\.0+(?= |$)/, "").trim());
  const limits = low && high ? `${low} to ${high}` : low ? `≥ ${low}` : `≤ ${high}`;
  return `Target ${limits}${shape === "live" || window === shown ? "" : ` over ${window}`}`;
}

/** The age of data, in words: below a second only the order of magnitude matters. */
export function age(seconds) {
  return seconds < 1 ? "< 1 s" : duration(seconds).join(" ");
}

/** How long ago, in words. */
export function ago(milliseconds) {
  return `${duration(Math.max(0, milliseconds / 1000), 0).join(" ")} ago`;
}

/** A clock time; with its date where that is not today's. */
export function clock(moment, today = new Date()) {
  const sameDay = moment.toDateString() === today.toDateString();
  return moment.toLocaleString("en-GB", sameDay ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
}
