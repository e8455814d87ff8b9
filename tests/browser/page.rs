//! What is asked of a page: colours, contrast, pictures, structure.

use serde_json::Value;

use crate::chromium::Session;

/// Functions that the questions below are made of.
const TOOLS: &str = r#"
const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (colour) => {
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = colour;
  pixel.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const ground = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor);
    if (colour[3] > 0) layers.push(colour);
    if (colour[3] === 1) break;
  }
  return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
};
const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((x, y) => y - x); return (x + 0.05) / (y + 0.05); };
const isSeen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && element.getClientRects().length > 0;
const colours = (canvas) => {
  const found = new Map();
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) {
    const name = `${data[i]},${data[i + 1]},${data[i + 2]}`;
    found.set(name, (found.get(name) ?? 0) + 1);
  }
  return found;
};
"#;

/// What an expression comes to, with the tools at hand.
fn ask(tab: &mut Session, expression: &str) -> Value {
    tab.evaluate(&format!("(() => {{ {TOOLS} return {expression}; }})()"))
}

fn list(value: &Value) -> Vec<String> {
    let items = value.as_array().unwrap_or_else(|| panic!("it is a list: {value}"));
    items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
}

/// Live charts whose lines are not there: each must show the colour of at least one of its lines.
pub(crate) fn blank_charts(tab: &mut Session) -> Vec<String> {
    let question = r#"[...document.querySelectorAll(".chart")].filter((chart) => {
      const canvas = chart.querySelector("canvas");
      if (!canvas) return true;
      const drawn = colours(canvas);
      const keys = [...chart.querySelectorAll(".live .key")].map((key) => rgba(getComputedStyle(key).color).slice(0, 3).join());
      return !keys.some((key) => (drawn.get(key) ?? 0) > 20);
    }).map((chart) => chart.dataset.chart)"#;
    list(&ask(tab, question))
}

/// How many pixels of a chart have the colour of its line.
pub(crate) fn pixels(tab: &mut Session, chart: &str, line: usize) -> u64 {
    let question = format!(
        r#"(() => {{
      const chart = document.querySelector('.chart[data-chart="{chart}"]');
      const key = chart.querySelectorAll(".live .key")[{line}];
      return colours(chart.querySelector("canvas")).get(rgba(getComputedStyle(key).color).slice(0, 3).join()) ?? 0;
    }})()"#
    );
    ask(tab, &question).as_u64().unwrap_or_default()
}

/// A chart as it is drawn now.
pub(crate) fn picture(tab: &mut Session, chart: &str) -> String {
    let drawn = tab.evaluate(&format!(r#"document.querySelector('.chart[data-chart="{chart}"] canvas').toDataURL()"#));
    drawn.as_str().expect("it is text").to_owned()
}

/// Texts that are hard to read: with less contrast than 4.5 to 1, or 3 to 1 where they are large.
pub(crate) fn faint_texts(tab: &mut Session) -> Vec<String> {
    let question = r#"(() => {
      const bad = new Map();
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE"].includes(element.tagName) || !isSeen(element)) continue;
        const style = getComputedStyle(element);
        const below = ground(element);
        const ratio = contrast(over(rgba(style.color), below), below);
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
        if (ratio < (isLarge ? 3 : 4.5)) bad.set(`${element.tagName}.${element.className}`, `${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
      }
      return [...bad].map((pair) => pair.join(": "));
    })()"#;
    list(&ask(tab, question))
}

/// Lines of charts that can hardly be seen: with less contrast to the ground than 3 to 1.
pub(crate) fn faint_lines(tab: &mut Session) -> Vec<String> {
    let question = r#"[...document.querySelectorAll(".live .key")].filter((key) =>
      contrast(rgba(getComputedStyle(key).color), ground(document.body)) < 3).map((key) => key.className)"#;
    list(&ask(tab, question))
}

/// What a page lacks for those who hear it or use keys alone.
pub(crate) fn barriers(tab: &mut Session) -> Vec<String> {
    let question = r#"(() => {
      const bad = [];
      const all = (selector) => [...document.querySelectorAll(selector)];
      const name = (element) => element.getAttribute("aria-label") || document.getElementById(element.getAttribute("aria-labelledby"))?.textContent || element.textContent.trim();
      if (!document.documentElement.lang) bad.push("no language");
      if (!document.title) bad.push("no title");
      for (const landmark of ["header", "nav", "main"]) if (all(landmark).length !== 1) bad.push(`landmark ${landmark}`);
      if (all("h1").length !== 1) bad.push("not one h1");
      let level = 1;
      for (const heading of all("h1, h2, h3, h4")) {
        const next = +heading.tagName[1];
        if (next > level + 1) bad.push(`heading jumps: ${heading.textContent}`);
        level = next;
      }
      for (const table of all("table")) if (!table.caption) bad.push(`no caption: ${table.textContent.slice(0, 40)}`);
      for (const head of all("th")) if (!head.scope) bad.push(`no scope: ${head.textContent}`);
      for (const element of all("button, a, [role=img], [role=application], [role=region], [role=toolbar], section")) if (!name(element)) bad.push(`no name: ${element.outerHTML.slice(0, 80)}`);
      for (const svg of all("svg")) if (!svg.closest("[role=img]") && svg.getAttribute("aria-hidden") !== "true") bad.push("a picture that is told twice");
      for (const scroll of all(".scroll")) if (scroll.tabIndex !== 0) bad.push("cannot be scrolled by keys");
      for (const link of all("nav a")) if (!document.getElementById(link.hash.slice(1))) bad.push(`leads nowhere: ${link.hash}`);
      const ids = all("[id]").map((element) => element.id);
      for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) bad.push(`twice: #${id}`);
      for (const element of all("[tabindex]")) if (element.tabIndex > 0) bad.push("an order of its own");
      return bad;
    })()"#;
    list(&ask(tab, question))
}

/// What is wider than the screen of a phone.
pub(crate) fn overflowing(tab: &mut Session) -> Vec<String> {
    tab.width(390);
    tab.until("[...document.querySelectorAll('canvas')].every((canvas) => canvas.getBoundingClientRect().width < 390)");
    tab.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))");
    let question = r#"(() => {
      const wide = document.scrollingElement.clientWidth;
      if (document.scrollingElement.scrollWidth <= wide) return [];
      return [`the page is ${document.scrollingElement.scrollWidth} wide`, ...[...document.querySelectorAll("main *")]
        .filter((element) => isSeen(element) && !element.closest(".scroll, .unseen, nav") && element.getBoundingClientRect().right > wide + 1)
        .map((element) => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`).slice(0, 5)];
    })()"#;
    list(&ask(tab, question))
}
