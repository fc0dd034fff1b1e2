"use strict";
// Everything is readable without this script. It adds filters, sorting, enlarged figures and copying.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const form = document.getElementById("filter");
  const claims = new Map(all("tr[data-claim]").map((row) => [row.dataset.claim, row]));
  const articles = all("article");
  const counts = all(".counts li");
  const textOf = new Map([...claims.values(), ...articles].map((node) => [node, words(node)]));

  function words(node) {
    const title = node.matches("article") ? ["h2", ".caption"].map((part) => node.querySelector(part)) : [node];
    return title.map((part) => (part ? part.textContent : "")).join(" ").toLowerCase();
  }

  // Filters. An exhibit stays if it, or a claim of it, is what is looked for.
  function filter() {
    const want = Object.fromEntries(new FormData(form));
    const text = want.text.trim().toLowerCase();
    const active = Boolean(text || want.section || want.kind || want.verdict);
    const near = (node) => (!want.section || node.dataset.section === want.section);
    const kindOf = (id) => id.split("_")[0];
    const kept = new Set();
    for (const [id, row] of claims) {
      const home = document.getElementById(row.dataset.for);
      const says = textOf.get(row) + (home ? textOf.get(home) : "");
      if ((!want.verdict || row.dataset.verdict === want.verdict) && near(home || row)
        && (!want.kind || kindOf(row.dataset.for) === want.kind) && says.includes(text)) kept.add(id);
    }
    const shown = new Set(articles.filter((article) => {
      const own = !want.verdict && near(article) && textOf.get(article).includes(text)
        && (!want.kind || article.dataset.kind === want.kind);
      return own || all(".claim", article).some((claim) => kept.has(claim.dataset.claim));
    }).map((article) => article.id));
    for (const node of all("[data-claim]")) node.hidden = !kept.has(node.dataset.claim);
    for (const node of all(".part, #elsewhere")) node.hidden = !all("[data-claim]", node).some((claim) => !claim.hidden);
    for (const article of articles) article.hidden = !shown.has(article.id);
    for (const node of all(".toc [data-for], .status [data-for]")) node.hidden = !shown.has(node.dataset.for);
    for (const count of counts) count.firstChild.setAttribute("aria-pressed", String(count.dataset.verdict === want.verdict));
    const table = document.getElementById("all-claims");
    if (table && want.verdict) table.open = true;
    form.elements.shown.value = active
      ? `Showing ${kept.size} of ${claims.size} claims and ${shown.size} of ${articles.length} exhibits.` : "";
  }

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  for (const count of counts) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...count.childNodes);
    count.replaceChildren(button);
    count.classList.add("live");
    button.addEventListener("click", () => {
      const verdict = form.elements.verdict;
      verdict.value = verdict.value === count.dataset.verdict ? "" : count.dataset.verdict;
      filter();
    });
  }
  filter();

  // A link leads to its place even if a filter or a closed fold-out hides it.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) form.reset(), filter();
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView({ block: "start" });
  }
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();

  // Tables sort: numbers by size, before words; what is empty stays last; a third click restores the order.
  function key(row, column) {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? (cell.querySelector(".ours") || cell).textContent.trim();
    const number = Number.parseFloat(text.replace("−", "-"));
    return { empty: text === "" || text === "not run", number, text };
  }
  function compare(a, b, sign) {
    if (a.empty !== b.empty) return a.empty ? 1 : -1;
    const numbers = [a, b].filter((each) => !Number.isNaN(each.number)).length;
    if (numbers === 1) return Number.isNaN(a.number) ? 1 : -1;
    return sign * ((numbers === 2 && a.number - b.number) || a.text.localeCompare(b.text, "en", { numeric: true }));
  }
  for (const table of all("table[data-sortable], table.cells")) {
    const body = table.tBodies[0], rows = [...body.rows];
    if (rows.length < 3) continue;
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.replaceChildren(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: null }[header.getAttribute("aria-sort")];
        const order = next === undefined ? "ascending" : next;
        for (const other of headers) other.removeAttribute("aria-sort");
        if (order) header.setAttribute("aria-sort", order);
        const sign = order === "descending" ? -1 : 1;
        const sorted = order ? [...rows].sort((a, b) => compare(key(a, column), key(b, column), sign)) : rows;
        body.append(...sorted);
      });
    });
  }

  // Rows that nothing was run for fold away; a table that is wider than its place says so.
  for (const table of all("table.numbers, article table.cells")) {
    const ours = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === "Ours");
    const absent = [...table.tBodies[0].rows].filter((row) => (ours >= 0 ? row.cells[ours].textContent.trim() === ""
      : row.querySelector(".absent") && !row.querySelector(".ours:not(.absent), .marked:not(.absent), .pair:not(.absent)")));
    if (absent.length < 3 || absent.length === table.tBodies[0].rows.length) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "more";
    const fold = (closed) => {
      for (const row of absent) row.hidden = closed;
      button.setAttribute("aria-expanded", String(!closed));
      button.textContent = closed ? `Show ${absent.length} rows that were not run` : "Hide rows that were not run";
    };
    button.addEventListener("click", () => fold(button.getAttribute("aria-expanded") === "true"));
    fold(true);
    table.closest(".scroll").after(button);
  }
  const measure = () => all(".scroll").forEach((place) => place.classList.toggle("cut",
    place.scrollWidth - place.clientWidth - place.scrollLeft > 2 || place.scrollLeft > 2));
  addEventListener("resize", measure);
  for (const fold of all("details")) fold.addEventListener("toggle", measure);
  measure();

  // Figures in full: + and - enlarge, 0 fits, the arrows turn the pages, Escape closes.
  const dialog = document.getElementById("zoom"), stage = dialog.querySelector(".stage");
  const links = all("a.zoom");
  let place = 0, factor = 1;
  function scaled(to) {
    factor = Math.min(8, Math.max(1, to));
    stage.style.setProperty("--zoom", factor);
  }
  function show(index) {
    const open = links.map((link, at) => at).filter((at) => !links[at].closest("[hidden]"));
    place = open.includes(index) ? index : open[0];
    const picture = links[place].querySelector("img"), image = document.createElement("img");
    image.src = links[place].getAttribute("href");
    image.alt = picture.alt;
    stage.replaceChildren(image);
    dialog.querySelector("h2").textContent = links[place].closest("article").querySelector("h2").textContent;
    scaled(1);
  }
  function turn(by) {
    let index = place;
    do index = (index + by + links.length) % links.length; while (links[index].closest("[hidden]"));
    show(index);
  }
  const actions = {
    previous: () => turn(-1), next: () => turn(1), in: () => scaled(factor * 1.5), out: () => scaled(factor / 1.5),
    fit: () => scaled(1), close: () => dialog.close(),
  };
  const keys = { "+": "in", "=": "in", "-": "out", 0: "fit", ArrowLeft: "previous", ArrowRight: "next" };
  links.forEach((link, index) => link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(index);
    dialog.showModal();
    stage.focus();
  }));
  dialog.addEventListener("click", (event) => actions[event.target.dataset.zoom]?.());
  dialog.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    const panning = factor > 1 && event.key.startsWith("Arrow");
    if (!action || panning || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[action]();
  });

  // Commands are copied where the browser lets a page from disk do so.
  if (navigator.clipboard) for (const step of all(".step")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${step.querySelector("pre").textContent}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(step.querySelector("pre").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    step.append(button);
  }

  // The contents beside the page say where one is.
  const lines = new Map(all(".toc [data-for]").map((line) => [line.dataset.for, line]));
  const watch = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) lines.get(target.id).classList.toggle("here", isIntersecting);
  }, { rootMargin: "-20% 0px -60% 0px" });
  articles.forEach((article) => watch.observe(article));
})();
