// Draws each chart when it comes near the screen, and fills its table when it is opened.
// What draws is five million characters long: they are read after the words have been painted.
(() => {
  const root = document.documentElement;
  const isTouched = matchMedia("(pointer: coarse)").matches;
  const config = { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false, doubleClick: false };
  const views = new Map();

  function viewsOf(name) {
    if (!views.has(name)) views.set(name, JSON.parse(document.getElementById(`views-${name}`).textContent));
    return views.get(name);
  }

  // The colours of a figure are names such as "@long", below keys that end in "color" or "colorscale".
  function painted(value, colours, isColour) {
    if (Array.isArray(value)) return value.map((item) => painted(item, colours, isColour));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(
        ([key, item]) => [key, painted(item, colours, /(color|colorscale)$/.test(key))]));
    }
    if (isColour && typeof value === "string" && value.startsWith("@")) {
      return colours.getPropertyValue(`--${value.slice(1)}`).trim();
    }
    return value;
  }

  function shownView(card) {
    const choice = card.querySelector("select");
    return viewsOf(card.dataset.name)[choice ? choice.selectedIndex : 0];
  }

  function draw(card) {
    const place = card.querySelector(".chart");
    const view = shownView(card);
    const figure = painted(view.figure, getComputedStyle(root), false);
    figure.layout.dragmode = false;
    figure.layout.autosize = true;
    if (isTouched && figure.layout.hovermode === undefined) figure.layout.hovermode = "closest";
    place.setAttribute("aria-label", `${card.dataset.title}. ${view.label ? `${view.label}. ` : ""}${view.spoken}`);
    place.style.minHeight = `${figure.layout.height}px`;
    return Plotly.react(place, figure.data, figure.layout, config)
      .then(() => makeRoom(place, figure.layout))
      .then(() => { card.dataset.drawn = "yes"; });
  }

  // Where a legend needs more lines than the margin has, it would cover what stands below it.
  function makeRoom(place, layout) {
    const legend = place.querySelector(".legend .bg");
    const more = legend ? Math.ceil(legend.getBoundingClientRect().height) + 28 - layout.margin.t : 0;
    if (layout.legend.yref !== "container" || more <= 0) return undefined;
    const height = layout.height + more;
    place.style.minHeight = `${height}px`;
    return Plotly.relayout(place, { "margin.t": layout.margin.t + more, height });
  }

  function cell(kind, text, isWord) {
    const made = document.createElement(kind);
    made.textContent = text;
    if (isWord) made.className = "word";
    return made;
  }

  function fill(card) {
    const { head, rows, words } = shownView(card).table;
    const table = document.createElement("table");
    const caption = document.createElement("caption");
    caption.className = "hidden";
    caption.textContent = card.dataset.title;
    const heading = table.createTHead().insertRow();
    head.forEach((name, i) => {
      const made = cell(name ? "th" : "td", name, words.includes(i));
      if (name) made.scope = "col";
      heading.append(made);
    });
    const body = table.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      row.forEach((text, i) => line.append(cell("td", text, words.includes(i))));
    }
    table.prepend(caption);
    card.querySelector(".box").replaceChildren(table);
  }

  const cards = [...document.querySelectorAll(".card[data-name]")];
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "600px" });
  const ready = new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => {
    const script = document.createElement("script");
    script.textContent = document.getElementById("plotly").textContent;
    document.head.append(script);
    cards.forEach((card) => near.observe(card));
    resolve();
  })));

  for (const card of cards) {
    const table = card.querySelector("details");
    if (table.open) fill(card);
    table.addEventListener("toggle", () => { if (table.open) fill(card); });
    card.querySelector("select")?.addEventListener("change", () => {
      draw(card);
      if (table.open) fill(card);
    });
  }
  const drawn = () => cards.filter((card) => card.dataset.drawn);
  const redraw = () => drawn().forEach(draw);
  let width = innerWidth;
  let turning = 0;
  window.addEventListener("resize", () => {
    if (innerWidth === width) return; // a phone's address bar comes and goes
    width = innerWidth;
    clearTimeout(turning);
    turning = setTimeout(redraw, 200);
  });
  document.addEventListener("theme", redraw);
  document.getElementById("theme").addEventListener("click", window.chooseTheme);
  window.addEventListener("beforeprint", () => { if (window.Plotly) cards.forEach(draw); });
  window.drawAll = () => ready.then(() => Promise.all(cards.map(draw)));
})();
