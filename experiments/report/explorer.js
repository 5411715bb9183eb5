"use strict";
// Texts go into the page as text alone (textContent), never as HTML. The state lives in the
// address: #image=2&channel=awgn&rho=1/24&snr=5&hide=3&s1=caption+structure&ledger=1, where s1 is
// what arrives of system 1 if it is not the likeliest.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("data"), pictures = read("pictures");
  const at = (id) => document.getElementById(id);
  const state = {
    image: 0, channel: 0, rho: 0, snr: 0, picked: {}, hidden: new Set(), ledger: false,
  };

  function make(kind, text, properties = {}) {
    const element = document.createElement(kind);
    if (text !== null && text !== undefined) element.textContent = text;
    for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
    return element;
  }

  const number = (value, digits) => value === null ? "undefined" : value.toFixed(digits);
  const percent = (share) => {
    if (share > 0 && share < 0.0005) return "< 0.1 %";
    if (share < 1 && share >= 0.9995) return "> 99.9 %";
    return (100 * share).toFixed(1) + " %";
  };
  const chance = (share, point) => data.exact ? percent(share) :
    Math.round(share * point.trials) + " of " + point.trials + " draws";

  function fromAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    const place = (found) => found < 0 ? 0 : found;
    const image = Number(given.get("image") || 1) - 1;
    state.image = Number.isInteger(image) && data.images[image] !== undefined ? image : 0;
    state.channel = place(data.channels.findIndex((one) => one.name === given.get("channel")));
    const rho = data.rho.findIndex((one) => one.label === given.get("rho"));
    state.rho = rho < 0 ? data.start.rho : rho;
    const snr = parseFloat(given.get("snr"));
    state.snr = data.start.snr;
    if (Number.isFinite(snr)) {
      const away = data.esno_db.map((level) => Math.abs(level - snr));
      state.snr = away.indexOf(Math.min(...away));
    }
    const hidden = (given.get("hide") || "").split(",").map((text) => Number(text) - 1);
    state.hidden = new Set(hidden.filter((s) => data.systems[s] !== undefined));
    state.picked = {};
    data.systems.forEach((_, s) => {
      if (given.has("s" + (s + 1))) state.picked[s] = given.get("s" + (s + 1));
    });
    state.ledger = given.get("ledger") === "1";
  }

  function toAddress() {
    const now = new URLSearchParams();
    now.set("image", state.image + 1);
    now.set("channel", data.channels[state.channel].name);
    now.set("rho", data.rho[state.rho].label);
    now.set("snr", data.esno_db[state.snr]);
    if (state.hidden.size) now.set("hide", [...state.hidden].map((s) => s + 1).sort().join(","));
    for (const [s, arrived] of Object.entries(state.picked)) now.set("s" + (Number(s) + 1), arrived);
    if (state.ledger) now.set("ledger", "1");
    history.replaceState(null, "", "#" + now);
  }

  function here(s) {
    const point = data.points[[s, state.channel, state.snr, state.rho, state.image].join(".")];
    const cell = data.cells[[s, state.rho, state.image, point.design].join(".")];
    const words = (text) => (text || "").replace(/[+ ]+/g, " ");
    const picked = state.picked[s] &&
      point.sets.find(([k]) => words(cell.sets[k].arrived) === words(state.picked[s]));
    return { point, cell, chosen: picked ? picked[0] : point.usual };
  }

  function card(s) {
    const system = data.systems[s], article = make("article", null, { "data-system": s + 1 });
    const part = { article, view: make("div"), sets: make("div", null, { class: "sets" }) };
    part.sets.setAttribute("role", "group");
    part.sets.setAttribute("aria-label", system.analog ? "Draws of worst, median and best PSNR" :
      "What may arrive of " + system.label);
    part.arrived = make("p", null, { class: "arrived" });
    part.caption = make("p", null, { class: "caption" });
    part.metrics = make("table");
    part.details = make("details");
    part.ledger = make("table");
    part.facts = make("dl");
    part.details.append(make("summary", "Ledger, headers, side information"), part.ledger,
      part.facts);
    article.append(make("h2", system.label), part.view, part.arrived, part.sets, part.caption,
      part.metrics, part.details);
    return part;
  }

  function row(kind, cells, summed) {
    const line = make("tr", null, summed ? { class: "sum" } : {});
    cells.forEach((text, n) => {
      const head = n === 0 || kind === "th";
      line.append(make(head ? "th" : "td", text, head ? { scope: kind === "th" ? "col" : "row" } : {}));
    });
    return line;
  }

  function table(element, head, rows) {
    const top = make("thead"), body = make("tbody");
    top.append(row("th", head, false));
    body.append(...rows);
    element.replaceChildren(top, body);
  }

  function picture(view, numberOf, label) {
    if (numberOf === null || numberOf === undefined) {
      view.replaceChildren(make("p", "picture left out, as it is unlikely", { class: "missing" }));
    } else if (view.dataset.shown !== String(numberOf) || !view.querySelector("img")) {
      view.replaceChildren(make("img", null, { src: pictures[numberOf] }));
    }
    view.dataset.shown = numberOf;
    const image = view.querySelector("img");
    if (image) image.alt = label;
  }

  function update(s, part) {
    const { point, cell, chosen } = here(s), set = cell.sets[chosen], system = data.systems[s];
    const share = point.sets.find(([k]) => k === chosen)[1], analog = system.analog;
    const arrived = cell.infeasible ? "nothing sent" : set.arrived;
    part.article.hidden = state.hidden.has(s);
    picture(part.view, set.picture,
      data.images[state.image] + " as " + system.label + " shows it: " + arrived);
    part.arrived.textContent = cell.infeasible ? arrived + ": " + cell.infeasible :
      arrived + ", " + (!analog ? (data.exact ? "probability " : "") + chance(share, point) :
        chosen === point.usual ? "that of median PSNR" : "one of " + point.sets.length + " shown");
    const sorted = analog ? point.sets : [...point.sets].sort((a, b) => b[1] - a[1]);
    part.sets.replaceChildren(...sorted.map(([k, each]) => {
      const text = cell.sets[k].arrived + (analog ? "" : ", " + chance(each, point));
      const button = make("button", text,
        { type: "button", "aria-pressed": k === chosen, id: "s" + s + "k" + k });
      button.addEventListener("click", () => {
        if (k === point.usual) delete state.picked[s];
        else state.picked[s] = cell.sets[k].arrived;
        show();
        at(button.id).focus();
      });
      return button;
    }));
    part.sets.hidden = cell.infeasible !== "";
    part.caption.hidden = !set.caption && !cell.sent.includes("caption");
    part.caption.textContent =
      set.caption ? "Caption received: “" + set.caption + "”" : "No caption received.";
    const over = data.exact ? "expected" : "mean of " + point.trials + " draws";
    table(part.metrics, ["metric", "this picture", over], data.metrics.map((metric, m) => row("td",
      [metric.label, ...[set.metrics[m], point.means[m]].map((value) =>
        point.asked[m] ? number(value, metric.digits) : "not measured")], false)));
    ledger(part, cell);
    facts(part, cell, system);
    part.details.open = state.ledger || part.details.open;
  }

  function ledger(part, cell) {
    const known = cell.ledger.length > 0 && cell.ledger.every((uses) => uses !== null);
    const budget = known ? cell.ledger.reduce((sum, uses) => sum + uses, 0) : null;
    const share = (uses) => (100 * uses / budget).toFixed(1) + " %";
    const rows = known ? data.items.map((item, n) =>
      row("td", [item, cell.ledger[n].toFixed(1), share(cell.ledger[n])], false)) : [];
    if (known) rows.push(row("td", ["budget", budget.toFixed(1), share(budget)], true));
    else rows.push(row("td", ["analog symbols", cell.uses - cell.pilots, ""], false),
      row("td", ["pilots", cell.pilots, ""], false));
    table(part.ledger, ["carries", "channel uses", known ? "of budget" : ""], rows);
  }

  function facts(part, cell, system) {
    const channel = data.channels[state.channel];
    const told = [["sent", cell.infeasible ? "nothing" : cell.sent || "analog symbols"],
      ["channel uses sent", cell.uses + " complex"],
      ["rate on the wire", system.analog ? "none, analog" : cell.bpp.toFixed(3) + " bit / pixel"],
      ["constant headers", system.headers],
      ["receiver's CSI (" + channel.phy + ")", channel.csi],
      ["transmitter side information", system.side],
      ["this transmission is designed for", cell.design]];
    part.facts.replaceChildren(
      ...told.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  }

  const parts = data.systems.map((_, s) => card(s));
  const original = { article: make("article"), view: make("div"), size: make("p", null, { class: "soft" }) };
  original.article.append(make("h2", "original"), original.view, original.size);

  function show() {
    toAddress();
    const level = data.esno_db[state.snr] + " dB", name = data.images[state.image];
    for (const id of ["image", "channel", "rho", "snr"]) at(id).value = state[id];
    at("level").textContent = level;
    at("snr").setAttribute("aria-valuetext", level);
    at("ledger").checked = state.ledger;
    const { picture: shown, size } = data.originals[state.image];
    picture(original.view, shown, name + ", the original");
    const rho = data.rho[state.rho];
    original.size.textContent = name + ", " + size[0] + " x " + size[1] + " pixels";
    at("where").textContent = name + " over " + data.channels[state.channel].label + ", ρ = " +
      rho.label + ", Es/N0 = " + level + ": of each system " + (data.exact ? "the likeliest picture; " +
      "percentages are probabilities." : "the picture that most draws show.");
    parts.forEach((part, s) => update(s, part));
  }

  function options(id, texts) {
    at(id).replaceChildren(...texts.map((text, n) => make("option", text, { value: n })));
    at(id).addEventListener("change", () => { state[id] = Number(at(id).value); show(); });
  }

  options("image", data.images);
  options("channel", data.channels.map((one) => one.label));
  options("rho", data.rho.map((one) => one.label));
  at("snr").max = data.esno_db.length - 1;
  at("snr").addEventListener("input", () => { state.snr = Number(at("snr").value); show(); });
  at("ledger").addEventListener("change", () => {
    state.ledger = at("ledger").checked;
    parts.forEach((part) => { part.details.open = state.ledger; });
    show();
  });
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  const boxes = data.systems.map((system, s) => {
    const label = make("label"), box = make("input", null, { type: "checkbox" });
    box.addEventListener("change", () => { state.hidden[box.checked ? "delete" : "add"](s); show(); });
    label.append(box, " " + system.label);
    at("systems").append(label);
    return box;
  });
  at("cards").append(original.article, ...parts.map((part) => part.article));
  const start = () => {
    fromAddress();
    boxes.forEach((box, s) => { box.checked = !state.hidden.has(s); });
    show();
  };
  addEventListener("hashchange", start);
  start();
})();
